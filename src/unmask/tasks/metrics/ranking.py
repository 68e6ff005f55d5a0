"""How well probabilities order positive examples before negative ones, over many resamples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmask.tasks.metrics.counts import Floats, quotient


def ranking(is_positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> dict[str, Floats]:
    """`average_precision` and `roc_auc` (R,) of (B,) scores whose examples count (R, B) times.

    Average precision is the sum over the thresholds of precision times what recall gains there;
    ROC AUC is how often a positive example scores higher than a negative one, ties half. NaN where
    either kind is missing. Neighbours: scikit-learn's functions of these names, which take one
    vector of weights; here one sort serves all resamples.
    """
    order = np.argsort(-scores, kind="stable")
    is_last = np.append(np.diff(scores[order]) != 0, True)  # of those that tie
    weights = weights[:, order]
    hits = np.cumsum(weights * is_positive[order], axis=1)[:, is_last]  # (R, thresholds)
    taken = np.cumsum(weights, axis=1)[:, is_last]
    misses = taken - hits
    num_positive, num_negative = hits[:, -1], misses[:, -1]
    gained = np.diff(hits, axis=1, prepend=0)
    lost = np.diff(misses, axis=1, prepend=0)
    precise = (gained * quotient(hits, taken)).sum(axis=1)
    ordered = (lost * (hits - gained / 2)).sum(axis=1)
    both = (num_positive > 0) & (num_negative > 0)
    return {
        "average_precision": np.where(both, quotient(precise, num_positive), np.nan),
        "roc_auc": np.where(both, quotient(ordered, num_positive * num_negative), np.nan),
    }
