"""A pretrained model made to read a domain's words in fewer pieces."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unmask.checkpoint import native
from unmask.checkpoint.vocabulary import with_vocabulary
from unmask.data.config import ReaderConfig
from unmask.data.corpus import read
from unmask.data.rejects import Rejects
from unmask.errors import DataError, UsageError
from unmask.recipe.config import Extend
from unmask.text.config import TokenizerConfig
from unmask.text.extend import Extension, costly_words, extend, origins_of, words_in
from unmask.text.kinds import Kind, family_settings, word_settings
from unmask.text.learn import train
from unmask.text.special import ALBERT, MPNET, ROBERTA, SpecialTokens
from unmask.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

_HELD_OUT = 10
"""One line in so many is measured on, and not learned from."""
_MOST_HELD_OUT = 20_000
"""Lines; of a larger text the rest is learned from."""
_LEARNED: dict[tuple[Kind, SpecialTokens], dict[str, str]] = {
    ("WordPiece", SpecialTokens()): {"kind": "wordpiece"},
    ("WordPiece", MPNET): {"kind": "wordpiece", "special_tokens": "mpnet"},
    ("byte-level BPE", ROBERTA): {"kind": "bpe"},
    ("Unigram", ALBERT): {"kind": "unigram"},
}
"""By what a tokenizer is, the settings by which its like is learned."""


@dataclass(frozen=True)
class Extended:
    """What came of it, measured on lines that no word was taken from."""

    model: str
    old_vocab_size: int
    vocab_size: int
    num_words_added: int
    """Words that are one token now; after retraining, tokens that the old vocabulary lacked."""
    words_added: list[str]
    """The most frequent first."""
    held_out_words: int
    """Stretches between blanks of the lines that were measured on."""
    tokens_per_word_before: float
    tokens_per_word_after: float
    unknown_rate_before: float
    """Unknown tokens, of all."""
    unknown_rate_after: float
    num_rejects: int
    """Records of the text that could not be read; a warning names the first."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def extend_model(
    model: Path | str,
    texts: Sequence[Path | str],
    output: Path | str,
    settings: Extend | None = None,
    reader: ReaderConfig | None = None,
) -> Extended:
    """Writes the model with a vocabulary for these texts to `output`.

    Words are added, or with `settings.retrain` a whole new vocabulary is learned, of the model's
    own kind. Vectors of new tokens are the mean of those of the pieces that spelled them, so that
    the model is not worse at first sight and better after pretraining on the domain.

    Raises:
        UsageError: A fine-tuned model, the left-to-right control, no words to add, or a kind of
            vocabulary that is not learned anew.
        DataError: A model without tokenizer, too little text, or too many rejects.
        MachineError: The output cannot be written.
    """
    settings, reader = settings or Extend(), reader or ReaderConfig()
    bundle = native.load(model)
    bundle.refuse_control()
    before = bundle.require_tokenizer()
    if "rtd" in bundle.model.heads:
        logger.warning(
            "%s: judges tokens and predicts none: `unmask pretrain --model` goes on with it by "
            "masked language modelling under a fresh head. A run's generator has a trained one.",
            bundle.name,
        )
    held_out: list[str] = []
    rejects = Rejects(reader.max_reject_rate)
    lines = _learned_from(texts, reader, rejects, held_out)
    found = _retrained(before, lines, settings) if settings.retrain else _grown(
        before, lines, settings
    )  # fmt: skip
    if not held_out:
        raise DataError(
            f"{', '.join(map(str, texts))}: too few lines to hold any out to measure on; give more "
            "text."
        )
    changed = with_vocabulary(bundle, found.tokenizer, found.origins)
    made = {"extended_from": str(model), "settings": settings.model_dump(mode="json")}
    native.save(changed, Path(output), made)
    num_words = sum(len(line.split()) for line in held_out)
    old_rate, old_unknown = _measured(before, held_out, num_words)
    new_rate, new_unknown = _measured(found.tokenizer, held_out, num_words)
    return Extended(
        model=str(output),
        old_vocab_size=before.vocab_size,
        vocab_size=found.tokenizer.vocab_size,
        num_words_added=len(found.words),
        words_added=found.words,
        held_out_words=num_words,
        tokens_per_word_before=old_rate,
        tokens_per_word_after=new_rate,
        unknown_rate_before=old_unknown,
        unknown_rate_after=new_unknown,
        num_rejects=len(rejects),
    )


def _grown(before: Tokenizer, lines: Iterable[str], settings: Extend) -> Extension:
    words = words_in(lines, before)
    if not words:
        raise DataError("the text holds no word; expected some to choose from.")
    chosen = costly_words(words, before, settings.num_words, settings.min_frequency)
    if not chosen:
        raise UsageError(
            f"num_words: no word that stands {settings.min_frequency} times or more in the text "
            "costs more than one token; there is nothing to add. Give more text, or a lower "
            "--min-frequency."
        )
    return extend(before, chosen)


def _retrained(before: Tokenizer, lines: Iterable[str], settings: Extend) -> Extension:
    like = _LEARNED.get((before.kind, before.special_tokens))
    if like is None:
        known = [" ".join(special.all()) for kind, special in _LEARNED if kind == before.kind]
        raise UsageError(
            f"retrain: a vocabulary of kind {before.kind} is learned with the special tokens "
            f"{', or '.join(known)}; this model has {' '.join(before.special_tokens.all())}. "
            "Add words to its own vocabulary instead (--num-words)."
        )
    given: dict[str, Any] = {**like, "vocab_size": settings.vocab_size or before.vocab_size}
    if before.kind == "WordPiece":
        given |= {"lowercase": before.lowercase, **word_settings(before.backend)}
    elif before.kind == "Unigram":
        keeps = family_settings(before.backend)["keep_accents"]
        given |= {"lowercase": before.lowercase, "strip_accents": not keeps}
    learned = train(lines, TokenizerConfig.model_validate(given))
    if before.model_max_length is not None:
        learned = learned.with_max_length(before.model_max_length)
    kept = before.vocabulary()
    fresh = [token for token in learned.vocabulary() if token not in kept]
    return Extension(learned, origins_of(before, learned), fresh)


def _learned_from(
    texts: Sequence[Path | str], reader: ReaderConfig, rejects: Rejects, held_out: list[str]
) -> Iterator[str]:
    """The lines to learn from; the others, chosen by what they say, go to `held_out`."""
    measured_on: set[str] = set()
    for document in read(texts, reader, rejects):
        for line in document.split("\n"):
            if not line.strip():
                continue
            is_chosen = zlib.crc32(line.encode()) % _HELD_OUT == 0
            if is_chosen and len(held_out) < _MOST_HELD_OUT:
                held_out.append(line)
                measured_on.add(line)
            elif line not in measured_on:  # a repeat of one beyond the limit teaches nothing
                yield line
    rejects.warn_of_first(", ".join(map(str, texts)))


def _measured(tokenizer: Tokenizer, lines: Sequence[str], num_words: int) -> tuple[float, float]:
    ids, _ = tokenizer.encode_bulk(lines)
    unknown = int((ids == tokenizer.special.unk).sum())
    return len(ids) / max(1, num_words), unknown / max(1, len(ids))
