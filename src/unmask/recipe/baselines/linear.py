"""Linear models over ready-made features, their regularisation chosen by cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

Floats = NDArray[np.float64]
Features = Any
"""(B, F) of numpy, or sparse rows of scipy, which has no types."""
Predictor = Callable[[Features], Floats]
"""(B, F) features to (B, K) scores as the task has them."""

SEED = 20181011
"""Draws what is chosen of the training examples: always the same, so that figures compare."""
_FOLDS = 3
_MOST_CROSSED = 5000
_MOST_ITERATIONS = 1000
_LEAST_LOG = -20.0
"""Log probability of a class that no training example has."""


class Learner(Protocol):
    """A kind of target."""

    def fit(self, features: Features, targets: NDArray[Any], strength: float) -> Predictor:
        """Learns from (B, F) features; `strength` is scikit-learn's C, the weight of the data."""

    def loss(self, targets: NDArray[Any], scores: Floats) -> float:
        """The mean over the examples."""


class Choice(NamedTuple):
    """What cross-validation came to."""

    strength: float
    rows: NDArray[np.int64]
    """(R,) the training examples that took part; empty where there was nothing to choose."""
    scores: Floats
    """(R, K) of each by a model that had not learned from it."""


@dataclass(frozen=True)
class OneOf:
    """One class of K; scores are log probabilities."""

    num_classes: int

    def fit(self, features: Features, targets: NDArray[Any], strength: float) -> Predictor:
        """Multinomial logistic regression; classes that do not occur are all but impossible."""
        there = np.unique(targets)
        model = None if len(there) == 1 else _logistic(features, targets, strength)

        def predict(rows: Features) -> Floats:
            found = np.full((rows.shape[0], self.num_classes), _LEAST_LOG)
            found[:, there] = 0.0 if model is None else _log_shares(model, rows)
            return found

        return predict

    def loss(self, targets: NDArray[Any], scores: Floats) -> float:
        """Cross-entropy in nats."""
        normed = scores - special.logsumexp(scores, axis=1, keepdims=True)
        return float(-normed[np.arange(len(targets)), targets].mean())


@dataclass(frozen=True)
class AnyOf:
    """Any of K labels; scores are log odds."""

    def fit(self, features: Features, targets: NDArray[Any], strength: float) -> Predictor:
        """A logistic regression for each of the (B, K) labels."""
        each = [OneOf(2).fit(features, column, strength) for column in targets.astype(int).T]

        def predict(rows: Features) -> Floats:
            return np.stack([found[:, 1] - found[:, 0] for found in (f(rows) for f in each)], 1)

        return predict

    def loss(self, targets: NDArray[Any], scores: Floats) -> float:
        """Binary cross-entropy in nats, a label."""
        return float(-special.log_expit(np.where(targets > 0, scores, -scores)).mean())


@dataclass(frozen=True)
class Value:
    """A number, which is the score."""

    def fit(self, features: Features, targets: NDArray[Any], strength: float) -> Predictor:
        """Ridge regression."""
        model = Ridge(1.0 / strength).fit(features, targets)
        return lambda rows: np.asarray(model.predict(rows), np.float64)[:, None]

    def loss(self, targets: NDArray[Any], scores: Floats) -> float:
        """Squared error."""
        return float(np.square(scores[:, 0] - targets).mean())


def choose(
    learner: Learner, features: Features, targets: NDArray[Any], strengths: Sequence[float]
) -> Choice:
    """The best of several strengths, ascending, by 3-fold cross-validation.

    At most 5,000 of the rows take part; with fewer than two a fold the middle strength is taken.
    """
    order = np.random.default_rng(SEED).permutation(len(targets))[:_MOST_CROSSED]
    if len(order) < 2 * _FOLDS or len(strengths) == 1:
        nothing = np.zeros(0, dtype=np.int64)
        return Choice(strengths[len(strengths) // 2], nothing, np.zeros((0, 0)))
    folds = [order[i::_FOLDS] for i in range(_FOLDS)]

    def crossed(strength: float) -> Floats:
        scores = []
        for i, held in enumerate(folds):
            rest = np.concatenate(folds[:i] + folds[i + 1 :])
            scores.append(learner.fit(features[rest], targets[rest], strength)(features[held]))
        return np.concatenate(scores)

    rows = np.concatenate(folds)
    found = [crossed(strength) for strength in strengths]
    best = int(np.argmin([learner.loss(targets[rows], scores) for scores in found]))
    return Choice(strengths[best], rows, found[best])


def _log_shares(model: LogisticRegression, rows: Features) -> Floats:
    """(B, K) log probabilities, which scikit-learn takes of rounded ones."""
    logits = np.asarray(model.decision_function(rows), np.float64)
    if logits.ndim == 1:  # of the second class of two
        logits = np.stack((np.zeros_like(logits), logits), axis=1)
    found: Floats = special.log_softmax(logits, axis=1).clip(_LEAST_LOG)
    return found


def _logistic(features: Features, targets: NDArray[Any], strength: float) -> LogisticRegression:
    with warnings.catch_warnings():
        # What is left to gain after so many iterations is far below a baseline's noise.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=strength, solver="newton-cg", max_iter=_MOST_ITERATIONS)
        return model.fit(features, targets)
