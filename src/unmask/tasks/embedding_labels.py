"""Labels of texts that belong together that can be taken for what they are not."""

from __future__ import annotations

import math
from collections.abc import Sequence

from unmask.data.labelled.examples import EmbeddingExample
from unmask.errors import DataError

_CODES = frozenset({"0", "1", "2"})
_NO_CODE = "-1"
"""Of pairs on which nobody agreed, beside such codes."""


def number_of(example: EmbeddingExample) -> float:
    """Its label as a number.

    Raises:
        DataError: It is none, or not finite.
    """
    number = _number(example.label)
    if number is None:
        raise DataError(f"{example.place}: the score is {example.label!r}; expected a number.")
    return number


def refuse_strays(examples: Sequence[EmbeddingExample]) -> None:
    """Says which label is no number where most are: it would make classes of all scores.

    Raises:
        DataError: There is one.
    """
    named = [example for example in examples if isinstance(example.label, str)]
    strays = [example for example in named if _number(example.label) is None]
    if strays and 2 * len(strays) < len(named):
        label = str(strays[0].label)[:40]
        raise DataError(
            f"{strays[0].place}: the label is {label!r}, while {len(named) - len(strays):,} of "
            f"{len(named):,} are numbers; expected all of them to be scores. Correct it, or leave "
            f"such examples out by --data.no-label {label}; of names of classes set --loss softmax."
        )


def refuse_codes(examples: Sequence[EmbeddingExample]) -> None:
    """Asks what 0, 1 and 2 mean: codes of classes have no order that cosines could follow.

    They are read as numbers without a question where `data.labels` says that they are.

    Raises:
        DataError: The labels of pairs are these, and all of them.
    """
    labels = {example.label for example in examples} - {_NO_CODE}
    if labels == _CODES:
        raise DataError(
            f"{examples[0].place}: the labels are 0, 1 and 2, which may be scores or the codes of "
            "classes, as in SNLI and MNLI. Of scores say so by --data.labels number; of classes "
            "name them in their order (--data.class-names entailment --data.class-names neutral "
            "--data.class-names contradiction), or set --loss softmax."
        )


def _number(label: object) -> float | None:
    try:
        number = float(label)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
