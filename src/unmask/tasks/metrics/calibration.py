"""Whether probabilities mean what they say, and one number that makes them mean it.

A temperature is fitted on validation data: examples that the model was not trained on and that no
figure is reported on. On training data, which the model knows by heart, it would come out too low;
figures on the data it was fitted on are too good.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from unmask.errors import UsageError
from unmask.tasks.metrics.checks import as_classes, as_distributions, as_floats, check_lengths
from unmask.tasks.metrics.counts import Floats, quotient

LEAST_TEMPERATURE, GREATEST_TEMPERATURE = 0.05, 20.0
"""Where a temperature is looked for; with no mistake in the data the best would be 0."""


@dataclass(frozen=True)
class Reliability:
    """How often the model was right, by how sure it was: a reliability diagram's M bars."""

    edges: Floats
    """(M + 1,) of the bins, equally wide over 0..1; each holds its upper edge."""
    count: NDArray[np.int64]
    """(M,) examples."""
    confidence: Floats
    """(M,) mean probability of the class that was predicted; 0 in an empty bin."""
    accuracy: Floats
    """(M,) share of them that were right; 0 in an empty bin."""

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of accuracy from confidence over the examples, in 0..1. Also: ECE."""
        return float(self.count @ np.abs(self.accuracy - self.confidence) / self.count.sum())


def reliability(labels: ArrayLike, probabilities: ArrayLike, num_bins: int) -> Reliability:
    """Accuracy and confidence by bins of the confidence.

    `labels` are (B,) classes, `probabilities` (B, K). Source: Guo et al. 2017, section 2, equations
    1 to 3, with 15 bins. The error depends on the bins: compare only equal numbers of them.

    Two examples of which the model is 80 % sure, one of them wrong:

    >>> found = reliability([0, 1], [[0.8, 0.2], [0.8, 0.2]], 10)
    >>> round(found.expected_calibration_error, 3)
    0.3

    Raises:
        UsageError: The arrays do not fit each other, or there is no bin.
        DataError: No examples, a label out of range, or values that are no probabilities.
    """
    if num_bins < 1:
        raise UsageError(f"{num_bins} bins; expected at least 1, such as 15.")
    probable = as_distributions("probabilities", probabilities)
    classes = as_classes("labels", labels, probable.shape[1], 1)
    check_lengths({"labels": classes, "probabilities": probable})
    edges = np.linspace(0, 1, num_bins + 1)
    sure = probable.max(axis=1)
    places = np.searchsorted(edges[1:-1], sure)

    def sums(weights: Floats) -> Floats:
        return np.bincount(places, weights, minlength=num_bins).astype(np.float64)

    count = np.bincount(places, minlength=num_bins)
    right = (probable.argmax(axis=1) == classes).astype(np.float64)
    return Reliability(
        edges,
        count,
        confidence=quotient(sums(sure), count.astype(np.float64)),
        accuracy=quotient(sums(right), count.astype(np.float64)),
    )


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature T for which softmax(logits / T) is the least surprised by the labels.

    `logits` are (B, K), `labels` (B,) classes, both of validation data (see the module). Above 1
    the model was too sure. It changes no prediction, and on these data the mean log loss is never
    above that of T = 1. Source: Guo et al. 2017, section 4.2.

    Logits that say 98 % where three of four are right, which is a logit of log 3:

    >>> round(fit_temperature([[4.0, 0.0]] * 4, [0, 0, 0, 1]), 2)
    3.64

    Raises:
        UsageError: Not as many labels as logits.
        DataError: No examples, a label out of range, or logits that are not finite.
    """
    scores = as_floats("logits", logits, 2)
    classes = as_classes("labels", labels, scores.shape[1], 1)
    check_lengths({"logits": scores, "labels": classes})
    rows = np.arange(len(classes))

    def loss(log_temperature: float) -> float:
        scaled = scores / exp(log_temperature)
        return float((special.logsumexp(scaled, axis=1) - scaled[rows, classes]).mean())

    # Convex in 1/T, so it has one valley in log T as well.
    bounds = (log(LEAST_TEMPERATURE), log(GREATEST_TEMPERATURE))
    found = optimize.minimize_scalar(loss, bounds=bounds, method="bounded")
    return exp(found.x) if found.fun < loss(0.0) else 1.0


def fit_sigmoid_temperature(logits: ArrayLike, targets: ArrayLike) -> float:
    """The temperature T for sigmoid(logits / T), where each of K labels is decided by itself.

    `logits` and `targets` (of 0 and 1) are (B, K), of validation data (see the module). The same as
    `fit_temperature` for two classes whose logits are 0 and the label's, over all B * K decisions.

    Raises:
        UsageError: The arrays do not fit each other.
        DataError: No examples, targets other than 0 and 1, or logits that are not finite.
    """
    scores = as_floats("logits", logits, 2)
    wanted = as_classes("targets", targets, 2, 2)
    check_lengths({"logits": scores, "targets": wanted})
    check_lengths({"columns of logits": scores.T, "columns of targets": wanted.T})
    decisions = np.stack((np.zeros(scores.size), scores.ravel()), axis=1)
    return fit_temperature(decisions, wanted.ravel())
