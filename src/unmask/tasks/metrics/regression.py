"""One number for each example: correlations by scipy, and errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from unmask.tasks.metrics.checks import as_floats, check_lengths
from unmask.tasks.metrics.counts import Floats
from unmask.tasks.metrics.resampling import Bootstrap, Interval, intervals

_NEARLY_CONSTANT = 2e-12
"""Spread over mean that is no more than rounding; scipy warns of correlations just below it."""


def scores(targets: ArrayLike, predictions: ArrayLike) -> dict[str, float]:
    """How (B,) predictions agree with (B,) targets.

    `pearson` (linear) and `spearman` (of the ranks, ties averaged) in -1..1, as GLUE's STS-B is
    judged; `mean_squared_error` and `mean_absolute_error` in the target's unit, squared or not.
    Where targets or predictions are all alike, a correlation is 0 by our choice: scipy gives NaN,
    and what says the same of every example knows nothing of their order.

    Neighbour: `classification.scores`.

    >>> found = scores([0.0, 1.0, 5.0], [1.0, 2.0, 3.0])
    >>> round(found["pearson"], 4), round(found["spearman"], 4), found["mean_squared_error"]
    (0.9449, 1.0, 2.0)

    Raises:
        UsageError: Not as many predictions as targets.
        DataError: No examples, or a value that is not finite.
    """
    wanted, given = _checked(targets, predictions)
    return {name: float(value[0]) for name, value in _figures(wanted[None], given[None]).items()}


def score_intervals(
    targets: ArrayLike, predictions: ArrayLike, bootstrap: Bootstrap
) -> dict[str, Interval]:
    """Every figure of `scores` with its interval; takes and raises the same.

    A resample whose targets or predictions are all alike counts, with correlations of 0.
    """
    wanted, given = _checked(targets, predictions)

    def figures(indices: NDArray[np.int64]) -> dict[str, Floats]:
        return _figures(wanted[indices], given[indices])

    return intervals(len(wanted), figures, bootstrap)


def _checked(targets: ArrayLike, predictions: ArrayLike) -> tuple[Floats, Floats]:
    wanted = as_floats("targets", targets, 1)
    given = as_floats("predictions", predictions, 1)
    check_lengths({"targets": wanted, "predictions": given})
    return wanted, given


def _figures(wanted: Floats, given: Floats) -> dict[str, Floats]:
    """(R, B) twice to (R,) of each figure."""
    return {
        "pearson": _correlations(wanted, given),
        "spearman": _correlations(_ranks(wanted), _ranks(given)),
        "mean_squared_error": np.square(wanted - given).mean(axis=1),
        "mean_absolute_error": np.abs(wanted - given).mean(axis=1),
    }


def _ranks(values: Floats) -> Floats:
    ranks: Floats = stats.rankdata(values, axis=1)
    return ranks


def _correlations(one: Floats, other: Floats) -> Floats:
    """(R, B) twice to (R,); 0 where a row is constant up to rounding."""
    varied = ~(_is_constant(one) | _is_constant(other))
    found = np.zeros(len(one))
    if varied.any():
        found[varied] = stats.pearsonr(one[varied], other[varied], axis=1).statistic
    return found


def _is_constant(values: Floats) -> NDArray[np.bool_]:
    mean = values.mean(axis=1, keepdims=True)
    spread = np.abs(values - mean).max(axis=1)
    constant: NDArray[np.bool_] = spread <= _NEARLY_CONSTANT * np.abs(mean[:, 0])
    return constant
