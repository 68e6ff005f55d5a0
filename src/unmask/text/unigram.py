"""SentencePiece's Unigram tokenizers put together from the parts in `tokenizers`.

Each family normalises in its own way. The steps are those of transformers' converters (5.23,
`convert_slow_tokenizer.py`) and tokenizer classes; where these two differ, the docstrings say
which is followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from unmask.errors import DataError
from unmask.text.kinds import BLANK
from unmask.text.sentencepiece_model import CONTROL, SentencePieceModel
from unmask.text.special import SpecialTokens

Scored = Sequence[tuple[str, float]]
_NUMBER_WITH_COMMA = 100.0


@dataclass(frozen=True)
class UnigramSettings:
    """What tokenizer_config.json says beside the model file."""

    lowercase: bool = False
    keep_accents: bool = False
    """Only where ALBERT's way of normalising is followed."""
    split_by_punct: bool = False
    """Sets punctuation apart before the search (DeBERTa)."""


def albert(model: SentencePieceModel, settings: UnigramSettings) -> Tokenizer:
    """ALBERT's tokenizer.

    A piece of several characters that ends in a digit and a comma is made improbable, as in
    google-research/albert (`tokenization.encode_pieces` splits it) and in the published
    tokenizer.json files; transformers' class of today leaves it, and loses against them.
    """
    scored = [
        (piece.text, piece.score - _NUMBER_WITH_COMMA * _ends_in_number_and_comma(piece.text))
        for piece in model.pieces
    ]
    backend = _backend(scored, model.unk_id, model)
    _mark_control(backend, model)
    return albert_parts(backend, settings, model.charsmap)


def albert_parts(backend: Tokenizer, settings: UnigramSettings, charsmap: bytes = b"") -> Tokenizer:
    """Sets ALBERT's normaliser and splitter on a backend."""
    steps: list[Any] = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if not settings.keep_accents:
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if settings.lowercase:
        steps.append(normalizers.Lowercase())
    if charsmap:
        steps.append(normalizers.Precompiled(charsmap))
    backend.normalizer = normalizers.Sequence(steps)
    return _split_at_blanks(backend)


def xlm_roberta(
    model: SentencePieceModel, _settings: UnigramSettings, special: SpecialTokens
) -> Tokenizer:
    """XLM-RoBERTa's tokenizer: fairseq's four special tokens stand before the model's pieces.

    The file's own first three, `<unk> <s> </s>`, make room for `<s> <pad> </s> <unk>`, so that all
    other ids are one higher than the file's; the mask comes last.
    """
    own = [piece.text for piece in model.pieces[:3]]
    if sorted(own) != ["</s>", "<s>", "<unk>"]:
        raise DataError(
            f"the first pieces are {own}; expected `<unk>`, `<s>` and `</s>`, in whose place "
            "XLM-RoBERTa puts its special tokens. Is it this family's file?"
        )
    first = [special.cls, special.pad, special.sep, special.unk]
    last = [special.mask] if special.mask is not None else []
    learned = [(piece.text, piece.score) for piece in model.pieces[3:]]
    scored = [*((text, 0.0) for text in first), *learned, *((text, 0.0) for text in last)]
    backend = _backend(scored, first.index(special.unk), model)
    if model.charsmap:
        backend.normalizer = normalizers.Precompiled(model.charsmap)
    return _split_at_blanks(backend)


def deberta_v2(model: SentencePieceModel, settings: UnigramSettings) -> Tokenizer:
    """DeBERTa-v2's and v3's tokenizer.

    Text is normalised by the file's own table, as SentencePiece and the converter do; transformers'
    class of today leaves the table out, so that "…" or "ﬁ" become unknown, and loses against them.
    """
    backend = _backend([(p.text, p.score) for p in model.pieces], model.unk_id, model)
    _mark_control(backend, model)
    steps: list[Any] = [normalizers.Lowercase()] if settings.lowercase else []
    if model.charsmap:
        steps.append(normalizers.Precompiled(model.charsmap))
    steps += [
        normalizers.Replace(Regex(r"\s{2,}|[\n\r\t]"), " "),
        normalizers.NFC(),
        normalizers.Strip(left=False, right=True),
    ]
    backend.normalizer = normalizers.Sequence(steps)
    blanks = pre_tokenizers.Metaspace(replacement=BLANK, prepend_scheme="always")
    apart = [pre_tokenizers.Punctuation(behavior="isolated")] if settings.split_by_punct else []
    backend.pre_tokenizer = pre_tokenizers.Sequence([*apart, blanks])
    backend.decoder = decoders.Metaspace(replacement=BLANK, prepend_scheme="always")
    return backend


def _backend(scored: Scored, unk_id: int, model: SentencePieceModel) -> Tokenizer:
    return Tokenizer(models.Unigram(list(scored), unk_id, model.byte_fallback))


def _split_at_blanks(backend: Tokenizer) -> Tokenizer:
    blanks = pre_tokenizers.Metaspace(replacement=BLANK, prepend_scheme="always")
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), blanks])
    backend.decoder = decoders.Metaspace(replacement=BLANK, prepend_scheme="always")
    return backend


def _mark_control(backend: Tokenizer, model: SentencePieceModel) -> None:
    control = [piece.text for piece in model.pieces if piece.kind == CONTROL]
    backend.add_special_tokens([AddedToken(text, normalized=False) for text in control])


def _ends_in_number_and_comma(piece: str) -> bool:
    return len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()
