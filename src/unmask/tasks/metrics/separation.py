"""How far a number tells classes apart that have no order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unmask.errors import DataError
from unmask.tasks.metrics.checks import as_floats, check_lengths
from unmask.tasks.metrics.counts import Floats
from unmask.tasks.metrics.resampling import Bootstrap, Interval, sum_intervals

NAME = "eta_squared"
"""Of the figure."""


def score(classes: Sequence[str], values: Floats) -> float:
    """The share of the variance of (B,) `values` that their classes explain, in 0..1.

    Other names: correlation ratio, eta squared; of two classes the square of the point-biserial
    correlation. 0 where all values are equal.
    Neighbours: `pair_classification` where classes are 0 and 1, `similarity` where they have an
    order.

    Worked example: deviations from the mean 3 square and sum to 8, of which the classes' means, 2
    and 4, make 4.

    >>> round(score(["a", "a", "b", "b"], np.array([1.0, 3.0, 3.0, 5.0])), 4)
    0.5

    Source: Fisher 1925, Statistical Methods for Research Workers, section 45.

    Raises:
        DataError: No values, one that is not finite, or fewer than two classes.
    """
    return float(_share(_parts(classes, values).sum(axis=0, keepdims=True))[0])


def score_intervals(
    classes: Sequence[str], values: Floats, bootstrap: Bootstrap
) -> dict[str, Interval]:
    """The same with a bootstrap interval over the examples, by its name."""
    parts = _parts(classes, values)
    return sum_intervals(parts, lambda sums: {NAME: _share(sums)}, bootstrap)


def _parts(classes: Sequence[str], values: Floats) -> Floats:
    """(B, 2 C + 1) of each example whether it is of a class, its value there, and its square.

    Values are centred first: sums of squares far from zero would cancel.
    """
    values = as_floats("values", values, 1)
    check_lengths({"classes": classes, "values": values})
    names, numbers = np.unique(np.asarray(classes, dtype=str), return_inverse=True)
    if len(names) < 2:
        raise DataError("all examples are of one class; expected two or more to tell apart.")
    members = np.eye(len(names))[numbers]  # (B, C)
    centred = (values - values.mean())[:, None]
    return np.concatenate([members, members * centred, centred**2], axis=1)


def _share(sums: Floats) -> Floats:
    """(R, 2 C + 1) sums to (R,)."""
    counts, totals, squares = np.split(sums, [sums.shape[1] // 2, sums.shape[1] - 1], axis=1)
    middle = totals.sum(axis=1) ** 2 / counts.sum(axis=1)
    between = (totals**2 / np.maximum(counts, 1.0)).sum(axis=1) - middle
    whole = squares[:, 0] - middle
    shares: Floats = np.where(whole > 0.0, between / np.where(whole > 0.0, whole, 1.0), 0.0)
    return np.clip(shares, 0.0, 1.0)
