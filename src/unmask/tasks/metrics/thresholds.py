"""The probability from which a label is given, where F1 on validation data is best.

A threshold is fitted on validation data: examples that the model was not trained on and that no
figure is reported on. Figures on the data it was fitted on are too good, the more so the rarer the
label.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.tasks.metrics.checks import as_classes, as_probabilities, check_lengths
from unmask.tasks.metrics.counts import Floats

UNTUNED = 0.5
"""The threshold of a label of which too little is known."""
FEWEST = 10
"""Validation examples with a label, and without it, from which its threshold is tuned: below, the
best one rests on the score of one or two examples, and is worth less than none on others."""


def best_threshold(targets: ArrayLike, probabilities: ArrayLike) -> float:
    """The threshold t in 0..1 with the highest F1 of `probability >= t`.

    `targets` are (B,) of 0 and 1, `probabilities` (B,) of the label or of a binary classifier's
    second class, both of validation data (see the module). It lies halfway between two
    probabilities that occur; of equally good ones it is the nearest to 0.5, which it is where no
    example has the label. Source: Lipton et al. 2014, "Optimal thresholding of classifiers to
    maximize F1 measure".

    >>> best_threshold([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.8])
    0.25

    Raises:
        UsageError: Not as many probabilities as targets.
        DataError: No examples, targets other than 0 and 1, or values that are no probabilities.
    """
    probable = as_probabilities("probabilities", probabilities, 1)
    wanted = as_classes("targets", targets, 2, 1)
    check_lengths({"targets": wanted, "probabilities": probable})
    return _best(wanted, probable)


def best_thresholds(targets: ArrayLike, probabilities: ArrayLike) -> Floats:
    """(K,) the best threshold of each label by itself: it maximises macro F1, not micro F1.

    It is 0.5 for a label that fewer than ten examples have, or fewer than ten have not. `targets`
    (of 0 and 1) and `probabilities` are (B, K), of validation data (see the module).

    Raises:
        UsageError: The arrays do not fit each other.
        DataError: No examples, targets other than 0 and 1, or values that are no probabilities.
    """
    probable = as_probabilities("probabilities", probabilities, 2)
    wanted = as_classes("targets", targets, 2, 2)
    check_lengths({"targets": wanted, "probabilities": probable})
    check_lengths({"columns of targets": wanted.T, "columns of probabilities": probable.T})
    columns = zip(wanted.T, probable.T, strict=True)
    return np.array([_best(*column) if _is_known(column[0]) else UNTUNED for column in columns])


def _is_known(wanted: NDArray[np.int64]) -> bool:
    """Whether enough examples have the label, and have it not."""
    return FEWEST <= int(wanted.sum()) <= len(wanted) - FEWEST


def _best(wanted: NDArray[np.int64], probable: Floats) -> float:
    if not wanted.any():
        return UNTUNED
    order = np.argsort(-probable, kind="stable")
    given = probable[order]
    is_last = np.append(np.diff(given) != 0, True)  # of those that tie
    taken = np.flatnonzero(is_last) + 1
    f1 = 2 * np.cumsum(wanted[order])[is_last] / (taken + wanted.sum())
    above = given[is_last]
    below = np.append(above[1:], 0.0)
    middle = (above + below) / 2
    # 0.5 itself wherever it does the same; between two neighbouring floats there is no middle.
    limits = np.where((below < UNTUNED) & (above >= UNTUNED), UNTUNED, middle)
    limits = np.where(limits > below, limits, above)
    best = np.flatnonzero(f1 == f1.max())
    return float(limits[best[np.abs(limits[best] - UNTUNED).argmin()]])
