"""What a model must have and what a text must be before the one is asked about the other."""

from __future__ import annotations

from unmask.checkpoint.bundle import Bundle
from unmask.errors import DataError, UsageError
from unmask.text.tokenizer import Tokenizer

_SHOWN_CHARACTERS = 60


def name_of(bundle: Bundle) -> str:
    """How messages call the model."""
    return "the model" if bundle.folder is None else str(bundle.folder)


def tokenizer_of(bundle: Bundle) -> Tokenizer:
    """The bundle's tokenizer.

    Raises:
        DataError: It has none.
    """
    if bundle.tokenizer is None:
        raise DataError(
            f"{name_of(bundle)}: holds no tokenizer, so no text can be read with it. Put the "
            "tokenizer.json or vocab.txt that the model was trained with into its folder."
        )
    return bundle.tokenizer


def require_masked_lm(bundle: Bundle) -> None:
    """Refuses a model that cannot give a probability to the token behind a mask.

    Raises:
        UsageError: It has no masked language model head.
    """
    heads = sorted(bundle.model.heads)
    if "mlm" not in heads:
        found = f"only: {', '.join(heads)}" if heads else "no head at all, only the encoder"
        raise UsageError(
            f"{name_of(bundle)}: filling masks and scoring text need a masked language model head "
            f"(`mlm`); this model has {found}. Load the pretrained checkpoint that this one was "
            "made from."
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
    special, limit = tokenizer_of(bundle).special, bundle.config.max_position_embeddings
    whole = [special.cls, *ids, special.sep]
    if len(whole) > limit:
        raise DataError(
            f"{place}: has {len(whole)} tokens with [CLS] and [SEP]; this model reads at most "
            f"{limit}. Nothing is cut silently: shorten the text, or split it into several."
        )
    return whole
