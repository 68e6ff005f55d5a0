"""Any number of K labels for each example: scores by scikit-learn, under its names, 0..1.

A ratio whose denominator is 0 is 0. Means over labels take in all K, as scikit-learn's do, those
that never occur included.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics

from unmask.tasks.metrics.checks import as_classes, as_probabilities, check_lengths
from unmask.tasks.metrics.counts import Floats, mean_over, quotient, ratios
from unmask.tasks.metrics.ranking import ranking
from unmask.tasks.metrics.resampling import Bootstrap, Interval, intervals, sum_intervals, times


class _Checked(NamedTuple):
    """(B, K) each."""

    gold: NDArray[np.bool_]
    predicted: NDArray[np.bool_]
    probable: Floats


def scores(
    targets: ArrayLike, probabilities: ArrayLike, names: Sequence[str], thresholds: ArrayLike
) -> dict[str, float]:
    """How well the labels whose probability reaches their threshold agree with the given ones.

    `targets` are (B, K) of 0 and 1, `probabilities` (B, K), `names` the K labels, `thresholds` (K,)
    in 0..1. Gives `accuracy` (of whole rows: subset accuracy), `hamming_loss`; `precision_*`,
    `recall_*` and `f1_*` with `micro`, `macro` and `weighted`; `precision/NAME`, `recall/NAME`,
    `f1/NAME` and `support/NAME` (a count) for each label; and `average_precision_macro` and
    `roc_auc_macro` over the labels that some examples have and some have not, left out where there
    is no such label.

    Neighbours: `classification.scores`; `thresholds.best_thresholds` tunes the thresholds.

    >>> found = scores([[1, 0], [1, 1]], [[0.9, 0.2], [0.4, 0.8]], ["a", "b"], [0.5, 0.5])
    >>> found["accuracy"], found["f1_micro"], found["recall/a"]
    (0.5, 0.8, 0.5)

    Raises:
        UsageError: The arrays or the names do not fit each other.
        DataError: No examples, targets other than 0 and 1, or values that are no probabilities.
    """
    gold, predicted, probable = _checked(targets, probabilities, names, thresholds)
    found = {
        "accuracy": float((gold == predicted).all(axis=1).mean()),
        "hamming_loss": float((gold != predicted).mean()),
    }
    # One column is a binary problem to scikit-learn, whose second class is the label.
    labels = range(len(names)) if len(names) > 1 else [1]
    measure = partial(
        metrics.precision_recall_fscore_support,
        gold.astype(np.int64),
        predicted.astype(np.int64),
        labels=labels,
        zero_division=0,
    )
    for average in ("micro", "macro", "weighted"):
        precision, recall, f1, _ = measure(average=average)
        found[f"precision_{average}"] = float(precision)
        found[f"recall_{average}"] = float(recall)
        found[f"f1_{average}"] = float(f1)
    for metric, values in zip(
        ("precision", "recall", "f1", "support"), measure(average=None), strict=True
    ):
        found |= {f"{metric}/{name}": float(values[i]) for i, name in enumerate(names)}
    if (columns := _mixed(gold)).any():
        given = (gold[:, columns], probable[:, columns])
        found["average_precision_macro"] = float(metrics.average_precision_score(*given))
        found["roc_auc_macro"] = float(metrics.roc_auc_score(*given))
    return found


def score_intervals(
    targets: ArrayLike,
    probabilities: ArrayLike,
    names: Sequence[str],
    thresholds: ArrayLike,
    bootstrap: Bootstrap,
) -> dict[str, Interval]:
    """Every figure of `scores` but the supports, with its interval; takes and raises the same.

    The two figures over rankings are means over those of their labels that a resample has and has
    not; a resample without such a label does not count for them.
    """
    gold, predicted, probable = _checked(targets, probabilities, names, thresholds)
    rows = np.stack(((gold == predicted).all(axis=1), (gold != predicted).mean(axis=1)), axis=1)
    parts = np.concatenate((gold & predicted, predicted, gold, rows), axis=1)
    found = sum_intervals(parts, partial(_from_sums, names, len(gold)), bootstrap)
    columns = np.flatnonzero(_mixed(gold))

    def figures(indices: NDArray[np.int64]) -> dict[str, Floats]:
        weights = times(indices)
        by_label = [ranking(gold[:, i], probable[:, i], weights) for i in columns]
        return {
            f"{metric}_macro": _defined_mean(np.stack([label[metric] for label in by_label]))
            for metric in by_label[0]
        }

    if len(columns):
        found |= intervals(len(gold), figures, bootstrap)
    return found


def _checked(
    targets: ArrayLike, probabilities: ArrayLike, names: Sequence[str], thresholds: ArrayLike
) -> _Checked:
    probable = as_probabilities("probabilities", probabilities, 2)
    gold = as_classes("targets", targets, 2, 2)
    limits = as_probabilities("thresholds", thresholds, 1)
    check_lengths({"targets": gold, "probabilities": probable})
    columns = {"columns of targets": gold.T, "columns of probabilities": probable.T}
    check_lengths({"names": names, "thresholds": limits, **columns})
    return _Checked(gold == 1, probable >= limits, probable)


def _mixed(gold: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(K,) True for labels that some examples have and some have not."""
    return np.logical_and(gold.any(axis=0), np.logical_not(gold.all(axis=0)))


def _defined_mean(values: Floats) -> Floats:
    """(K, R) to the (R,) means of what is not NaN; NaN where all is."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=0)
    return np.where(count > 0, mean_over(np.nan_to_num(values).T, defined.T), np.nan)


def _from_sums(names: Sequence[str], num_examples: int, sums: Floats) -> dict[str, Floats]:
    """(R, 3K + 2) sums of hits, predictions, labels, right rows and wrong shares to figures."""
    counts = np.split(sums[:, :-2], 3, axis=1)  # (R, K) each
    gold = counts[2]
    figures = {
        "accuracy": sums[:, -2] / num_examples,
        "hamming_loss": sums[:, -1] / num_examples,
    }
    micro = ratios(*(count.sum(axis=1) for count in counts))._asdict()
    for metric, values in ratios(*counts)._asdict().items():
        figures[f"{metric}_micro"] = micro[metric]
        figures[f"{metric}_macro"] = values.mean(axis=1)
        figures[f"{metric}_weighted"] = quotient((values * gold).sum(axis=1), gold.sum(axis=1))
        figures |= {f"{metric}/{name}": values[:, i] for i, name in enumerate(names)}
    return figures
