"""What is known of a query's documents: how relevant each is, and which loss can learn that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.data.labelled.examples import RankedExample
from unmask.errors import DataError
from unmask.tasks.reranking_config import RankingLoss

Floats = NDArray[np.floating[Any]]
_MOST_GAIN = 30.0
"""Greatest grade of which nDCG's gain, 2^grade - 1, is worth comparing."""


def grades_of(example: RankedExample) -> NDArray[np.float64]:
    """(D,) grades of its documents.

    Raises:
        DataError: There are none, or one is no number.
    """
    if not example.documents:
        raise DataError(f"{example.place}: the query has no documents; expected at least one.")
    if example.grades is None or len(example.grades) != len(example.documents):
        found = "no grades" if example.grades is None else f"{len(example.grades)} grades"
        raise DataError(
            f"{example.place}: has {found} for {len(example.documents)} documents; expected one "
            "each."
        )
    grades = np.asarray(example.grades, dtype=np.float64)
    if not np.isfinite(grades).all():
        wrong = grades[~np.isfinite(grades)][0]
        raise DataError(f"{example.place}: a grade is {wrong}; expected a number.")
    return grades


def has_order(grades: Floats) -> bool:
    """Whether one document is more relevant than another."""
    return bool(grades.min() < grades.max())


def fitting_loss(graded: Sequence[Floats]) -> RankingLoss:
    """The loss for such grades, see `RerankingConfig.loss`."""
    every = np.concatenate(graded)
    are_levels = (every == np.round(every)).all() and 0 <= every.min() <= every.max() <= _MOST_GAIN
    if are_levels and 2 * sum(map(has_order, graded)) >= len(graded):
        return "lambda"
    is_share = every.min() >= 0 and every.max() <= 1
    return "binary-cross-entropy" if is_share else "mean-squared-error"


def require_grades(loss: RankingLoss, examples: Sequence[RankedExample]) -> None:
    """Raises DataError where a grade is none that the loss can take."""
    limits = {"binary-cross-entropy": 1.0, "lambda": _MOST_GAIN}
    if loss not in limits:
        return
    for example in examples:
        grades = grades_of(example)
        if grades.min() < 0 or grades.max() > limits[loss]:
            wrong = grades[(grades < 0) | (grades > limits[loss])][0]
            raise DataError(
                f"{example.place}: a grade is {wrong:g}; loss {loss} takes 0 to {limits[loss]:g}. "
                "Take another --loss, such as mean-squared-error or ranknet, or scale the grades."
            )
