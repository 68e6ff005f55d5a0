"""A tokenizer on disk, in any layout of Hugging Face's that encoders come in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from unmask.errors import DataError
from unmask.text import unigram
from unmask.text.byte_level import build_byte_level, enclose_as_roberta
from unmask.text.config import TokenizerConfig
from unmask.text.files import (
    flag,
    guarded,
    merges_of_lines,
    parse_object,
    read_text,
    require_no_gap,
    settings_of,
    vocabulary_of_lines,
    vocabulary_of_object,
)
from unmask.text.kinds import kind_of
from unmask.text.sentencepiece_model import read_model
from unmask.text.special import ROBERTA, SpecialTokens
from unmask.text.wordpiece import build

SENTENCEPIECE = ("sentencepiece.bpe.model", "spiece.model", "spm.model")
"""What XLM-RoBERTa, ALBERT and DeBERTa-v2 call their model files."""
SOURCES = ("tokenizer.json", "vocab.txt", "vocab.json", *SENTENCEPIECE)
"""What a tokenizer is read from, the first that is there."""
BESIDE = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt")
"""What is read together with one of them."""

_ENDLESS = 10**9
"""Lengths from here on mean "none": transformers writes 1e30 for a missing limit."""


@dataclass(frozen=True)
class Stored:
    """What a folder says about a tokenizer."""

    backend: Tokenizer
    special: SpecialTokens
    model_max_length: int | None
    place: str
    """The file that the vocabulary came from, for messages."""
    closes_spaces: bool
    """Whether decoding is followed by `Tokenizer`'s second clean-up of spaces."""


def read(path: Path) -> Stored:
    """Reads a folder (the first of `SOURCES` in it) or one of these files.

    Raises:
        DataError: Nothing there, or something that is no tokenizer of an encoder.
    """
    file = _file(path)
    settings = settings_of(file.parent)
    place = str(file)
    made = guarded(place, lambda: _read(file, settings))
    length = settings.get("model_max_length")
    has_limit = isinstance(length, int) and 0 < length < _ENDLESS
    closes_spaces = settings.get("clean_up_tokenization_spaces") is True
    return Stored(*made, length if has_limit else None, place, closes_spaces)


def _read(file: Path, settings: dict[str, Any]) -> tuple[Tokenizer, SpecialTokens]:
    if file.suffix == ".txt":
        return _of_lines(file, settings)
    if file.suffix == ".model":
        return _of_sentencepiece(file, settings)
    text = read_text(file)
    if file.name == "vocab.json":
        return _of_merges(file, text, settings)
    return _whole(text, str(file), settings)


def _file(path: Path) -> Path:
    if path.is_dir():
        for name in SOURCES:
            if (path / name).is_file():
                return path / name
        raise DataError(
            f"{path}: no tokenizer here; expected tokenizer.json or vocab.txt, vocab.json with "
            f"merges.txt, or a SentencePiece model ({', '.join(SENTENCEPIECE)}). "
            "Train one with `unmask tokenizer TEXT --output DIR`."
        )
    if not path.is_file():
        raise DataError(
            f"{path}: no such file or folder; expected a tokenizer's folder, "
            "a tokenizer.json or a vocab.txt."
        )
    return path


# --- one file for everything


def _whole(text: str, place: str, settings: dict[str, Any]) -> tuple[Tokenizer, SpecialTokens]:
    model = parse_object(text, place).get("model")
    kind = model.get("type", "WordPiece") if isinstance(model, dict) else None
    if kind not in ("WordPiece", "BPE", "Unigram"):
        raise DataError(
            f"{place}: the model is `{kind}`; expected WordPiece, byte-level BPE or Unigram, the "
            "kinds that encoders come with."
        )
    backend = Tokenizer.from_str(text)
    if kind_of(backend) is None:
        raise DataError(
            f"{place}: the model is `{type(backend.model).__name__}` without a byte-level "
            "splitter; expected WordPiece, byte-level BPE or Unigram."
        )
    vocabulary = backend.get_vocab(with_added_tokens=True)
    require_no_gap(vocabulary.values(), place)
    special = SpecialTokens.from_settings(settings, place, vocabulary)
    assert isinstance(model, dict)
    unknown = model.get("unk_token")
    if kind == "Unigram":
        unknown = backend.id_to_token(model["unk_id"]) if model.get("unk_id") is not None else None
    if unknown is not None:
        special = SpecialTokens(special.pad, unknown, special.cls, special.sep, special.mask)
    return backend, special


# --- a vocabulary, and the rest by the family


def _of_lines(file: Path, settings: dict[str, Any]) -> tuple[Tokenizer, SpecialTokens]:
    place = str(file)
    vocabulary = vocabulary_of_lines(read_text(file), place)
    special = SpecialTokens.from_settings(settings, place, vocabulary)
    config = _config(settings, str(file.parent / "tokenizer_config.json"))
    backend = build(vocabulary, config, special)
    if special.sep == ROBERTA.sep:  # MPNet
        enclose_as_roberta(backend, special, add_prefix_space=False, trim_offsets=True)
    return backend, special


def _of_merges(file: Path, text: str, settings: dict[str, Any]) -> tuple[Tokenizer, SpecialTokens]:
    place, beside = str(file), file.parent / "merges.txt"
    vocabulary = vocabulary_of_object(text, place)
    if not beside.is_file():
        raise DataError(
            f"{place}: there is no merges.txt beside it; byte-level BPE needs both files. Copy it "
            "from where the vocabulary came from."
        )
    merges = merges_of_lines(read_text(beside), vocabulary, str(beside))
    at = str(file.parent / "tokenizer_config.json")
    prefix = flag(settings, "add_prefix_space", False, at)
    backend = build_byte_level(vocabulary, merges, add_prefix_space=prefix)
    _add_tokens(backend, file.parent)
    special = SpecialTokens.from_settings(settings, place, backend.get_vocab())
    if special.sep == ROBERTA.sep:
        trim = flag(settings, "trim_offsets", True, at)
        enclose_as_roberta(backend, special, add_prefix_space=prefix, trim_offsets=trim)
    return backend, special


def _of_sentencepiece(file: Path, settings: dict[str, Any]) -> tuple[Tokenizer, SpecialTokens]:
    place = str(file)
    at = str(file.parent / "tokenizer_config.json")
    model = read_model(file)
    family = _family(file, settings)
    special = SpecialTokens.from_settings(settings, place, [piece.text for piece in model.pieces])
    chosen = unigram.UnigramSettings(
        lowercase=flag(settings, "do_lower_case", family == "albert", at),
        keep_accents=flag(settings, "keep_accents", False, at),
        split_by_punct=flag(settings, "split_by_punct", False, at),
    )
    if family == "xlm-roberta":
        names = {f"{role}_token": text for role, text in vars(ROBERTA).items()}
        special = SpecialTokens.from_settings(names | settings, place)
        backend = unigram.xlm_roberta(model, chosen, special)
    else:
        backend = (unigram.albert if family == "albert" else unigram.deberta_v2)(model, chosen)
    _add_tokens(backend, file.parent)
    if special.mask is not None and backend.token_to_id(special.mask) is None:
        backend.add_special_tokens([AddedToken(special.mask, normalized=False)])
    return backend, special


_FAMILIES = {"sentencepiece.bpe.model": "xlm-roberta", "spiece.model": "albert"}


def _family(file: Path, settings: dict[str, Any]) -> str:
    """Whose way of normalising a SentencePiece model is for."""
    named = str(settings.get("tokenizer_class", "")).lower()
    for family in ("xlm-roberta", "albert", "deberta-v2"):
        if named.startswith(family.replace("-", "")):
            return family
    return _FAMILIES.get(file.name, "deberta-v2")


def _add_tokens(backend: Tokenizer, folder: Path) -> None:
    """Adds what added_tokens.json has beyond the vocabulary, by their ids.

    Raises:
        DataError: Ids that do not go on where the vocabulary ends.
    """
    file = folder / "added_tokens.json"
    if not file.is_file():
        return
    added = parse_object(read_text(file), str(file))
    for token, i in sorted(added.items(), key=lambda item: str(item[1]).zfill(12)):
        known = backend.token_to_id(token)
        size = backend.get_vocab_size()
        if known != i and (known is not None or i != size):
            expected = known if known is not None else size
            raise DataError(
                f"{file}: `{token}` has the id {i!r:.80}; expected {expected}, after the "
                "vocabulary's own and those before it."
            )
        backend.add_tokens([AddedToken(token, normalized=False, special=True)])


def _config(settings: dict[str, Any], place: str) -> TokenizerConfig:
    names = {
        "do_lower_case": "lowercase",
        "strip_accents": "strip_accents",
        "tokenize_chinese_chars": "split_chinese_characters",
    }
    for key in names:
        flag(settings, key, True, place)
    given = {names[key]: settings[key] for key in names if settings.get(key) is not None}
    return TokenizerConfig(**given)
