"""One class of K for each example: scores by scikit-learn, under its names, 0..1 (log loss: nats).

A ratio whose denominator is 0 is 0, as is the MCC of predictions or labels that are all alike. A
class that neither occurs nor is predicted has no figures and no share in a mean over classes. What
needs both classes is left out where one is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from sklearn import metrics

from unmask.tasks.metrics.checks import Classes, as_classes, as_distributions, check_lengths
from unmask.tasks.metrics.counts import Floats, matthews, mean_over, ratios
from unmask.tasks.metrics.ranking import ranking
from unmask.tasks.metrics.resampling import Bootstrap, Interval, intervals, sum_intervals, times

_LEAST = float(np.finfo(np.float64).eps)
"""The probability that a log loss takes a smaller one for, as scikit-learn does."""


def scores(labels: ArrayLike, probabilities: ArrayLike, names: Sequence[str]) -> dict[str, float]:
    """How well the most probable class agrees with the label, and how probable the label was.

    `labels` are (B,) classes 0..K-1, `probabilities` (B, K) with rows that sum to 1, `names` the K
    classes. Gives `accuracy`, `balanced_accuracy`, `matthews_corrcoef`, `log_loss`; `precision_*`,
    `recall_*` and `f1_*` with `macro`, `weighted` and, for F1, `micro` (which is the accuracy);
    `precision/NAME`, `recall/NAME`, `f1/NAME` and `support/NAME` (a count) for each class. For two
    classes also `precision`, `recall`, `f1`, `average_precision` and `roc_auc` of the second, as
    GLUE's MRPC and QQP mean it.

    Neighbours: `multi_label.scores`, `regression.scores`.

    Worked example, two of three right:

    >>> found = scores([0, 1, 1], [[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], ["no", "yes"])
    >>> round(found["accuracy"], 3), round(found["f1/no"], 3), round(found["matthews_corrcoef"], 3)
    (0.667, 0.667, 0.5)

    Raises:
        UsageError: The arrays or the names do not fit each other.
        DataError: No examples, a label out of range, or values that are no probabilities.
    """
    classes, probable = _checked(labels, probabilities, names)
    num_classes = len(names)
    predicted = probable.argmax(axis=1)
    found = {
        "accuracy": float(metrics.accuracy_score(classes, predicted)),
        "matthews_corrcoef": _matthews(classes, predicted),
        "log_loss": float(metrics.log_loss(classes, probable, labels=range(num_classes))),
        **_by_class(classes, predicted, names),
    }
    if num_classes == 2:
        found |= _of_the_second(classes, predicted, probable[:, 1])
    return found


def score_intervals(
    labels: ArrayLike, probabilities: ArrayLike, names: Sequence[str], bootstrap: Bootstrap
) -> dict[str, Interval]:
    """Every figure of `scores` but the supports, with its interval; takes and raises the same.

    A resample without a class, or without both, does not count for the figures that need it.
    """
    classes, probable = _checked(labels, probabilities, names)
    num_classes = len(names)
    gold = classes[:, None] == np.arange(num_classes)  # (B, K)
    predicted = probable.argmax(axis=1)[:, None] == np.arange(num_classes)
    loss = -np.log(probable[gold].clip(_LEAST, 1 - _LEAST))
    parts = np.concatenate((gold & predicted, predicted, gold, loss[:, None]), axis=1)
    found = sum_intervals(parts, partial(_from_sums, names), bootstrap)
    if num_classes == 2 and gold.any(axis=0).all():
        found |= intervals(
            len(classes),
            lambda indices: ranking(gold[:, 1], probable[:, 1], times(indices)),
            bootstrap,
        )
    return found


def _checked(
    labels: ArrayLike, probabilities: ArrayLike, names: Sequence[str]
) -> tuple[Classes, Floats]:
    probable = as_distributions("probabilities", probabilities)
    classes = as_classes("labels", labels, probable.shape[1], 1)
    check_lengths({"labels": classes, "probabilities": probable})
    check_lengths({"names": names, "columns of probabilities": probable.T})
    return classes, probable


def _matthews(classes: Classes, predicted: Classes) -> float:
    # scikit-learn warns of a matrix of one cell; the coefficient is 0 there as it is of one row.
    if len(np.union1d(classes, predicted)) == 1:
        return 0.0
    return float(metrics.matthews_corrcoef(classes, predicted))


def _by_class(classes: Classes, predicted: Classes, names: Sequence[str]) -> dict[str, float]:
    """The figures of each class that occurs or is predicted, and their means."""
    seen = np.union1d(classes, predicted)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        classes, predicted, labels=seen, zero_division=0
    )
    found = {
        "f1_micro": float(metrics.accuracy_score(classes, predicted)),
        "balanced_accuracy": float(recall[support > 0].mean()),
    }
    for metric, values in {"precision": precision, "recall": recall, "f1": f1}.items():
        found[f"{metric}_macro"] = float(values.mean())
        found[f"{metric}_weighted"] = float(np.average(values, weights=support))
    for row, name in enumerate(names[i] for i in seen):
        found[f"precision/{name}"] = float(precision[row])
        found[f"recall/{name}"] = float(recall[row])
        found[f"f1/{name}"] = float(f1[row])
        found[f"support/{name}"] = float(support[row])
    return found


def _of_the_second(classes: Classes, predicted: Classes, probable: Floats) -> dict[str, float]:
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        classes, predicted, labels=[1], average="macro", zero_division=0
    )
    found = {"precision": float(precision), "recall": float(recall), "f1": float(f1)}
    if len(np.unique(classes)) == 2:
        found["average_precision"] = float(metrics.average_precision_score(classes, probable))
        found["roc_auc"] = float(metrics.roc_auc_score(classes, probable))
    return found


def _from_sums(names: Sequence[str], sums: Floats) -> dict[str, Floats]:
    """(R, 3K + 1) sums of hits, predictions, labels and losses to (R,) figures as in `scores`."""
    correct, predicted, gold = np.split(sums[:, :-1], 3, axis=1)  # (R, K) each
    num_examples = gold.sum(axis=1)
    occurs = predicted + gold > 0
    accuracy = correct.sum(axis=1) / num_examples
    rates = ratios(correct, predicted, gold)
    figures = {
        "accuracy": accuracy,
        "f1_micro": accuracy,
        "balanced_accuracy": mean_over(rates.recall, gold > 0),
        "matthews_corrcoef": matthews(correct, predicted, gold),
        "log_loss": sums[:, -1] / num_examples,
    }
    for metric, values in rates._asdict().items():
        figures[f"{metric}_macro"] = mean_over(values, occurs)
        figures[f"{metric}_weighted"] = (values * gold).sum(axis=1) / num_examples
        for i, name in enumerate(names):
            figures[f"{metric}/{name}"] = np.where(occurs[:, i], values[:, i], np.nan)
        if len(names) == 2:
            figures[metric] = values[:, 1]
    return figures
