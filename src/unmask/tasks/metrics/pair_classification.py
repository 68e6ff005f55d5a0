"""Pairs that belong together and pairs that do not: paraphrases, duplicates, translations.

A pair is said to belong together if its similarity is at least a threshold. The thresholds here are
the best for the pairs at hand, as sentence-transformers and MTEB report them: figures at them are a
little too good (see `thresholds`). `at_threshold` takes one that was found on other pairs. Average
precision needs none, and is what MTEB ranks by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from unmask.tasks.metrics.checks import Classes, as_classes, as_floats, check_lengths
from unmask.tasks.metrics.counts import Floats, matthews, ratios
from unmask.tasks.metrics.ranking import ranking
from unmask.tasks.metrics.resampling import Bootstrap, Interval, intervals, times
from unmask.tasks.metrics.similarity import SIMILARITIES, Similarity, Vectors, pairwise

_DISTANCES = ("euclidean", "manhattan")


def scores(labels: ArrayLike, similarities: ArrayLike) -> dict[str, float]:
    """How well (N,) similarities tell pairs of label 1 from pairs of label 0.

    Gives, under the names of sentence-transformers' `BinaryClassificationEvaluator`, `accuracy` (of
    all pairs) at the best threshold for it, `accuracy_threshold`; `f1`, `precision` (of the pairs
    said to belong together), `recall` (of those that do) and `mcc` at the best threshold for F1,
    `f1_threshold`; and `ap`, the average precision: the sum over thresholds of precision times what
    recall gains there. A threshold lies halfway between two similarities that occur; of equally
    good ones the highest counts. Pairs that tie are never parted.

    F1 is 0 where no pair belongs together, `mcc` where either side is all alike; `ap` is left out
    unless both labels occur. Other names: `max_ap` is the best `ap` over several similarities.

    Neighbours: `embedding_scores` from vectors, `classification.scores` from probabilities,
    `similarity.scores` where targets are graded.

    Worked example; from 0.55 on, two pairs of two are right and one is missed:

    >>> found = scores([1, 1, 0, 1, 0], [0.9, 0.6, 0.5, 0.4, 0.1])
    >>> found["accuracy"], found["accuracy_threshold"], round(found["f1"], 4), round(found["ap"], 4)
    (0.8, 0.55, 0.8571, 0.9167)

    Source: Davis and Goadrich 2006 for average precision without interpolation.

    Raises:
        UsageError: Not as many similarities as labels.
        DataError: No pairs, a label that is not 0 or 1, or a similarity that is not finite.
    """
    classes, given = _checked(labels, similarities)
    found = _best(classes, given)
    at = at_threshold(classes, given, found.f1_threshold)
    return {
        "accuracy": at_threshold(classes, given, found.accuracy_threshold)["accuracy"],
        "accuracy_threshold": found.accuracy_threshold,
        **{name: at[name] for name in ("f1", "precision", "recall", "mcc")},
        "f1_threshold": found.f1_threshold,
        **_average_precision(classes, given),
    }


def at_threshold(labels: ArrayLike, similarities: ArrayLike, threshold: float) -> dict[str, float]:
    """`accuracy`, `f1`, `precision`, `recall` and `mcc` of `similarity >= threshold`.

    >>> at_threshold([1, 0, 1], [0.9, 0.8, 0.2], 0.5)["accuracy"]
    0.3333333333333333

    Raises:
        UsageError: Not as many similarities as labels.
        DataError: As `scores`.
    """
    classes, given = _checked(labels, similarities)
    found = _at(np.ones((1, len(classes))), classes, given >= threshold)
    return {name: float(value[0]) for name, value in found.items()}


def embedding_scores(
    one: Vectors,
    other: Vectors,
    labels: ArrayLike,
    similarities: Sequence[Similarity] = SIMILARITIES,
) -> dict[str, float]:
    """`scores` of the similarities of (N, D) vectors, named `cosine_ap`, `cosine_f1` and so on.

    The thresholds of `euclidean` and `manhattan` are distances, as sentence-transformers gives
    them: pairs at most so far apart belong together.

    Raises:
        UsageError: The arrays do not fit each other.
        DataError: No pairs, a label that is not 0 or 1, or a vector that is not finite.
    """
    found: dict[str, float] = {}
    for name in similarities:
        for measure, value in scores(labels, pairwise(one, other, name)).items():
            is_distance = name in _DISTANCES and measure.endswith("_threshold")
            found[f"{name}_{measure}"] = -value if is_distance else value
    return found


def score_intervals(
    labels: ArrayLike, similarities: ArrayLike, bootstrap: Bootstrap
) -> dict[str, Interval]:
    """Every figure of `scores` but the thresholds, with its interval over pairs.

    Takes and raises the same. The thresholds stay those of all pairs: the intervals say nothing of
    how far off a threshold may be. Resamples of one label do not count for `ap`.
    """
    classes, given = _checked(labels, similarities)
    best = _best(classes, given)

    def figures(indices: np.ndarray) -> dict[str, Floats]:
        weights = times(indices)
        accurate = _at(weights, classes, given >= best.accuracy_threshold)
        found = _at(weights, classes, given >= best.f1_threshold)
        precise = ranking(classes == 1, given, weights)["average_precision"]
        return found | {"accuracy": accurate["accuracy"], "ap": precise}

    return intervals(len(classes), figures, bootstrap)


class _Thresholds(NamedTuple):
    accuracy_threshold: float
    f1_threshold: float


def _checked(labels: ArrayLike, similarities: ArrayLike) -> tuple[Classes, Floats]:
    classes = as_classes("labels", labels, 2, 1)
    given = as_floats("similarities", similarities, 1)
    check_lengths({"labels": classes, "similarities": given})
    return classes, given


def _best(classes: Classes, given: Floats) -> _Thresholds:
    """The highest of the best thresholds; one above all similarities may be best for accuracy."""
    order = np.argsort(-given, kind="stable")
    ordered = given[order]
    is_last = np.append(np.diff(ordered) != 0, True)  # of those that tie
    hits = np.cumsum(classes[order])[is_last]
    taken = np.flatnonzero(is_last) + 1
    above = ordered[is_last]
    below = np.append(above[1:], above[-1])
    middle = above / 2 + below / 2
    # Between two neighbouring floats there is no middle.
    limits = np.where(middle > below, middle, above)
    right = 2 * hits - taken  # more hits than false alarms, against calling no pair positive
    if right.max() > 0:
        accuracy_threshold = float(limits[right.argmax()])
    else:
        accuracy_threshold = float(np.nextafter(above[0], np.inf))
    f1 = 2 * hits / (taken + classes.sum())
    return _Thresholds(accuracy_threshold, float(limits[f1.argmax()]))


def _at(weights: Floats, classes: Classes, said: np.ndarray) -> dict[str, Floats]:
    """(R,) figures of pairs that count (R, N) times."""
    gold = classes == 1
    total = weights.sum(axis=1)
    correct, predicted, wanted = (weights @ side for side in (gold & said, said, gold))
    right = total - predicted - wanted + 2 * correct
    rates = ratios(correct, predicted, wanted)
    both = (np.stack((total - side, side), axis=1) for side in (predicted, wanted))
    hits = np.stack((right - correct, correct), axis=1)
    return {"accuracy": right / total, **rates._asdict(), "mcc": matthews(hits, *both)}


def _average_precision(classes: Classes, given: Floats) -> dict[str, float]:
    found = ranking(classes == 1, given, np.ones((1, len(classes))))["average_precision"]
    return {} if np.isnan(found[0]) else {"ap": float(found[0])}
