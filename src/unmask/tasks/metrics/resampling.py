"""How sure a figure is: percentile intervals from bootstrap resamples of the test examples.

A resample is B examples drawn with replacement from the B there are; the interval lies between two
quantiles of the figure over the resamples (Efron and Tibshirani 1993, chapter 13). It says how the
figure may vary with the choice of test examples, and nothing about seeds of training. One seed
gives the same resamples for every figure over as many examples, so that the difference of two
models on the same examples can be resampled as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.checks import as_floats
from unmask.tasks.metrics.counts import Floats

_CHUNK_DRAWS = 2**21
"""Draws at a time: some 50 MB, whatever the number of examples and resamples."""


@dataclass(frozen=True)
class Bootstrap:
    """How to resample."""

    seed: int = 0
    num_resamples: int = 1000
    """Enough for the 2.5 % quantiles; Efron and Tibshirani 1993, section 13.4, ask for 1000."""
    level: float = 0.95
    """How much of the resamples' figures lie in the interval, between 0 and 1."""

    def __post_init__(self) -> None:
        """Refuses what cannot mean anything."""
        if self.num_resamples < 1 or not 0 < self.level < 1:
            raise UsageError(
                f"{self.num_resamples} resamples at level {self.level}; expected at least 1 "
                "resample and a level between 0 and 1, such as 1000 and 0.95."
            )


@dataclass(frozen=True)
class Interval:
    """A figure with its confidence interval."""

    value: float
    """The figure on the examples themselves."""
    low: float
    high: float
    level: float
    num_resamples: int
    """Those on which the figure is defined."""


Statistics = Callable[[NDArray[np.int64]], Mapping[str, Floats]]
"""(R, B) places of examples to figures (R,), each of one row; NaN where one is not defined."""

SumStatistics = Callable[[Floats], Mapping[str, Floats]]
"""(R, C) sums over examples to figures (R,); NaN where one is not defined."""


def intervals(
    num_examples: int, statistics: Statistics, bootstrap: Bootstrap
) -> dict[str, Interval]:
    """Intervals of any figures of a list of examples.

    `statistics` is called with many resamples at once, (R, B) places of examples, and with the
    examples themselves, (1, B). A figure that is not defined on those is left out.
    Neighbours: `sum_intervals` where sums over the examples suffice, `mean_interval`.

    Raises:
        DataError: No examples, or a figure that most resamples leave undefined.
    """
    if num_examples < 1:
        raise DataError("there are no examples to resample; expected at least one.")
    values = statistics(np.arange(num_examples)[None])
    chunks = [statistics(indices) for indices in _draws(num_examples, bootstrap)]
    return {
        name: _interval(name, float(value[0]), [chunk[name] for chunk in chunks], bootstrap)
        for name, value in values.items()
        if not np.isnan(value[0])
    }


def sum_intervals(
    parts: ArrayLike, statistics: SumStatistics, bootstrap: Bootstrap
) -> dict[str, Interval]:
    """Intervals of figures that depend on sums over the examples: of hits, of counts, of losses.

    `parts` (B, C) is what each example adds to the C sums. A thousand resamples are one product of
    matrices.

    Raises:
        DataError: No examples, a part that is not finite, or a figure that most resamples leave
            undefined.
    """
    terms = as_floats("parts", parts, 2)
    return intervals(len(terms), lambda indices: statistics(times(indices) @ terms), bootstrap)


def mean_interval(values: ArrayLike, bootstrap: Bootstrap) -> Interval:
    """The interval of a mean over (B,) examples: accuracy from hits, exact match, F1 of answers.

    >>> found = mean_interval([1, 1, 0, 1], Bootstrap(seed=1))
    >>> found.value, found.low, found.high
    (0.75, 0.25, 1.0)

    Raises:
        DataError: No values, or one that is not finite.
    """
    column = as_floats("values", values, 1)[:, None]
    found = sum_intervals(column, lambda sums: {"mean": sums[:, 0] / len(column)}, bootstrap)
    return found["mean"]


def times(indices: NDArray[np.int64]) -> Floats:
    """(R, B) how often each example occurs in each of the (R, B) resamples."""
    num_resamples, num_examples = indices.shape
    places = indices + np.arange(num_resamples)[:, None] * num_examples
    counted = np.bincount(places.ravel(), minlength=indices.size)
    return counted.reshape(indices.shape).astype(np.float64)


def _draws(num_examples: int, bootstrap: Bootstrap) -> Iterator[NDArray[np.int64]]:
    generator = np.random.default_rng(bootstrap.seed)
    rows = max(1, _CHUNK_DRAWS // num_examples)
    for start in range(0, bootstrap.num_resamples, rows):
        size = (min(rows, bootstrap.num_resamples - start), num_examples)
        yield generator.integers(num_examples, size=size)


def _interval(name: str, value: float, chunks: list[Floats], bootstrap: Bootstrap) -> Interval:
    figures = np.concatenate(chunks)
    defined = figures[~np.isnan(figures)]
    if 2 * len(defined) < len(figures):
        raise DataError(
            f"{name} is defined on {len(defined)} of {len(figures)} resamples of the examples; "
            "expected at least half. There are too few examples of a kind that it needs."
        )
    tail = (1 - bootstrap.level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(value, float(low), float(high), bootstrap.level, len(defined))
