"""What a model must have and what a text must be before the one is asked about the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.history import generator_of, read_history
from unmask.errors import DataError, UsageError
from unmask.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

_SHOWN_CHARACTERS = 60


def require_masked_lm(bundle: Bundle) -> None:
    """Refuses a model that cannot give a probability to the token behind a mask.

    Raises:
        UsageError: It has no masked language model head.
    """
    heads = sorted(bundle.model.heads)
    if "mlm" not in heads:
        found = f"only: {', '.join(heads)}" if heads else "no head at all, only the encoder"
        generator = generator_of(bundle.folder)
        there = "the pretrained checkpoint that this one was made from"
        raise UsageError(
            f"{bundle.name}: filling masks and scoring text need a masked language model head "
            f"(`mlm`); this model has {found}. Load {generator or there}."
        )


def place_of(index: int, text: str) -> str:
    """Which text a message is about, counted from 1, with its beginning."""
    cut = len(text) > _SHOWN_CHARACTERS
    return f"text {index + 1} {text[:_SHOWN_CHARACTERS]!r}{'...' if cut else ''}"


def enclose(bundle: Bundle, ids: list[int], place: str) -> list[int]:
    """The ids between `[CLS]` and `[SEP]`; never cut.

    Raises:
        DataError: More tokens than the model has positions.
    """
    tokenizer, limit = bundle.require_tokenizer(), bundle.config.max_length
    whole: list[int] = tokenizer.layout.single(ids).tolist()
    if len(whole) > limit:
        raise DataError(
            f"{place}: has {len(whole)} tokens with {_around(tokenizer)}; this model reads at most "
            f"{limit}. Nothing is cut silently: shorten the text, or split it into several."
        )
    return whole


def warn_of(bundle: Bundle, sequences: Sequence[list[int]]) -> None:
    """Logs what the model cannot read well in these sequences: a warning a kind, not one a text."""
    if not sequences:
        return
    tokenizer = bundle.require_tokenizer()
    longest = max(map(len, sequences))
    trained = read_history(bundle.folder).sequence_length
    if trained is not None and longest > trained:
        logger.warning(
            "%s was trained on sequences of up to %d tokens, and the longest text has %d with "
            "%s: positions that were never trained make its answers worse. Shorten "
            "the text, or split it.",
            bundle.name,
            trained,
            longest,
            _around(tokenizer),
        )
    unknown = tokenizer.special.unk
    num_unknown = sum(ids.count(unknown) for ids in sequences)
    if num_unknown:
        logger.warning(
            "%d of %d tokens of the text are unknown to %s (%s): it cannot tell what stands there.",
            num_unknown,
            sum(len(ids) - tokenizer.layout.single_cost for ids in sequences),
            bundle.name,
            tokenizer.special_tokens.unk,
        )


def _around(tokenizer: Tokenizer) -> str:
    return f"{tokenizer.special_tokens.cls} and {tokenizer.special_tokens.sep}"
