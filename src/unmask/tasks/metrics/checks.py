"""What a metric demands of its arrays before it counts anything."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.errors import DataError, UsageError

Classes = NDArray[np.int64]

_TOLERANCE = 1e-3


def as_floats(name: str, values: ArrayLike, num_dimensions: int) -> NDArray[np.float64]:
    """The values in float64.

    Raises:
        UsageError: Another number of dimensions.
        DataError: There are none, or one is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    _check_dimensions(name, array, num_dimensions)
    wrong = ~np.isfinite(array)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"{name}: {array[place]} in row {place[0]} ({wrong.sum()} of {array.size} values are "
            "not finite); expected numbers. Look at the data there, or whether training diverged."
        )
    return array


def as_probabilities(name: str, values: ArrayLike, num_dimensions: int) -> NDArray[np.float64]:
    """The values in float64, each in 0..1.

    Raises:
        UsageError: Another number of dimensions.
        DataError: There are none, or one is not in 0..1.
    """
    array = as_floats(name, values, num_dimensions)
    if array.min() < 0 or array.max() > 1:
        raise DataError(
            f"{name}: values from {array.min():.4g} to {array.max():.4g}; expected probabilities "
            "in 0..1. Give probabilities, not logits."
        )
    return array


def as_distributions(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """(B, K) probabilities in float64 that sum to exactly 1 in each row.

    Raises:
        UsageError: Another number of dimensions, or K is 1.
        DataError: There are none, one is not in 0..1, or a row's sum is not 1 within 0.001.
    """
    array = as_probabilities(name, values, 2)
    if array.shape[1] < 2:
        raise UsageError(f"{name}: one column; expected one for each of at least two classes.")
    sums = array.sum(axis=1, keepdims=True)
    worst = int(np.abs(sums - 1).argmax())
    if abs(sums[worst, 0] - 1) > _TOLERANCE:
        raise DataError(
            f"{name}: row {worst} sums to {sums[worst, 0]:.4g}; expected 1. Give the softmax of "
            "the logits, or use the metrics for several labels at once."
        )
    normalised: NDArray[np.float64] = array / sums
    return normalised


def as_classes(name: str, values: ArrayLike, num_classes: int, num_dimensions: int) -> Classes:
    """Whole numbers from 0 to `num_classes` - 1 in int64.

    Raises:
        UsageError: Another number of dimensions.
        DataError: There are none, or one is something else.
    """
    array = np.asarray(values)
    _check_dimensions(name, array, num_dimensions)
    wrong = ~np.isin(array, np.arange(num_classes))
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"{name}: {array[place]} in row {place[0]}; expected whole numbers from 0 to "
            f"{num_classes - 1}."
        )
    return array.astype(np.int64)


def check_lengths(sized: Mapping[str, Sized]) -> None:
    """All have as many rows as the first.

    Raises:
        UsageError: One has not.
    """
    lengths = {name: len(rows) for name, rows in sized.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{length} {name}" for name, length in lengths.items())
        raise UsageError(f"{found}; expected as many of each, in the same order.")


def _check_dimensions(name: str, array: NDArray[Any], num_dimensions: int) -> None:
    if array.ndim != num_dimensions:
        raise UsageError(
            f"{name}: {array.ndim} dimensions {array.shape}; expected {num_dimensions}."
        )
    if not array.size:
        raise DataError(f"{name}: there are none; expected at least one example to measure.")
