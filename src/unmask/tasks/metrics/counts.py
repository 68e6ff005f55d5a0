"""Precision, recall and F1 from counts, for one set of counts or many at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Ratios(NamedTuple):
    """Three arrays of one shape, in 0..1."""

    precision: Floats
    recall: Floats
    f1: Floats


def ratios(correct: Floats, predicted: Floats, gold: Floats) -> Ratios:
    """correct/predicted, correct/gold, and 2 correct/(predicted + gold); 0 where nothing is below.

    Source: van Rijsbergen 1979, chapter 7 (F1 is Dice's coefficient of the two sets).

    >>> [round(float(value), 3) for value in ratios(np.array(2.0), np.array(4.0), np.array(3.0))]
    [0.5, 0.667, 0.571]
    """
    return Ratios(
        quotient(correct, predicted),
        quotient(correct, gold),
        quotient(2 * correct, predicted + gold),
    )


def matthews(correct: Floats, predicted: Floats, gold: Floats) -> Floats:
    """(..., K) counts of each class to (...) correlations of predictions and labels, in -1..1.

    Other names: MCC, phi for two classes, R_K for more. 0 where either is all of one class.
    Source: Gorodkin 2004, "Comparing two K-category assignments by a K-category correlation
    coefficient", equation 8, by the margins of the confusion matrix.

    >>> matthews(np.array([1.0, 1.0]), np.array([2.0, 1.0]), np.array([1.0, 2.0])).round(4).item()
    0.5
    """
    total = gold.sum(axis=-1)
    above = correct.sum(axis=-1) * total - (predicted * gold).sum(axis=-1)
    spread = total**2 - np.square(predicted).sum(axis=-1)
    return quotient(above, np.sqrt(spread * (total**2 - np.square(gold).sum(axis=-1))))


def quotient(above: Floats, below: Floats) -> Floats:
    """The quotient of two arrays that broadcast, 0 where the denominator is 0."""
    zeros = np.zeros(np.broadcast_shapes(np.shape(above), np.shape(below)))
    result: Floats = np.divide(above, below, out=zeros, where=np.asarray(below) != 0)
    return result


def mean_over(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    """The mean over the last axis of what is counted; 0 where nothing is."""
    return quotient((values * counted).sum(axis=-1), counted.sum(axis=-1).astype(np.float64))
