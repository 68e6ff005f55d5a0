"""Baselines of classification: the majority, words alone, and the encoder as it was pretrained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import TextExample
from unmask.recipe.baselines import probe
from unmask.recipe.baselines.features import STRENGTHS, TextFeatures
from unmask.recipe.baselines.linear import AnyOf, Features, Learner, OneOf, Value, choose
from unmask.tasks.classification import Classification
from unmask.tasks.targets.number import Number
from unmask.tasks.targets.one_label import OneLabel
from unmask.tasks.targets.several_labels import SeveralLabels

Examples = Sequence[TextExample]
_LEARNERS: dict[type, Callable[[int], Learner]] = {
    OneLabel: OneOf,
    SeveralLabels: lambda _: AnyOf(),
    Number: lambda _: Value(),
}
_UNTUNED: dict[type, Mapping[str, Any]] = {
    OneLabel: {"temperature": 1.0},
    SeveralLabels: {"thresholds": None},
    Number: {},
}


def baselines(
    task: Classification, train: Examples, measured: Examples, base: Bundle
) -> dict[str, dict[str, float]]:
    """The scores of each.

    Temperature and thresholds are not the fine-tuned model's but each baseline's own, from the
    cross-validation that chose its regularisation. The probe reads a pair as the model does,
    encoded together, and of a text in several windows the mean of their vectors.
    """
    targets: Any = task.targets
    task = replace(task, targets=replace(targets, **_UNTUNED[type(targets)]))
    is_number = isinstance(targets, Number)
    probed = probe.drawn(train, lambda _: 1, probe.MOST_SEQUENCES)
    reader = probe.Means(task, lambda _, windows: np.mean(windows, axis=0))
    first, other = probe.standardised(reader, probed, measured, base)
    return {
        "mean" if is_number else "majority": task.score(
            measured, [_constant(task, train)] * len(measured)
        ),
        f"tf-idf + {'ridge' if is_number else 'logistic'} regression": _scored(
            task, train, measured, *_words(train, measured), STRENGTHS
        ),
        "linear probe": _scored(task, probed, measured, first, other, probe.STRENGTHS),
    }


def _scored(
    task: Classification,
    train: Examples,
    measured: Examples,
    first: Features,
    other: Features,
    strengths: Sequence[float],
) -> dict[str, float]:
    """What a linear model learns from the features `first` of `train`, scored on `other`."""
    learner = _LEARNERS[type(task.targets)](task.num_outputs)
    rows = _rows(task, train)
    choice = choose(learner, first, rows, strengths)
    predict = learner.fit(first, rows, choice.strength)
    if len(choice.rows):
        task = task.tuned([train[i] for i in choice.rows], list(choice.scores))
    return task.score(measured, list(predict(other)))


def _constant(task: Classification, train: Examples) -> NDArray[np.float64]:
    """(K,) log shares of the labels, log odds of each of several, or the mean."""
    rows = _rows(task, train)
    if isinstance(task.targets, Number):
        return np.asarray(rows.mean(keepdims=True))
    if isinstance(task.targets, SeveralLabels):
        odds: NDArray[np.float64] = special.logit((rows.sum(axis=0) + 0.5) / (len(rows) + 1))
        return odds
    shares = (np.bincount(rows, minlength=task.num_outputs) + 1e-6) / len(rows)
    return np.asarray(np.log(shares))


def _rows(task: Classification, examples: Examples) -> NDArray[Any]:
    return np.concatenate([task.targets.row(example) for example in examples])


def _words(train: Examples, measured: Examples) -> tuple[Features, Features]:
    are_pairs = any(example.text_pair is not None for example in train)

    def texts(examples: Examples) -> tuple[list[str], list[str] | None]:
        pairs = [example.text_pair or "" for example in examples]
        return [example.text for example in examples], pairs if are_pairs else None

    features = TextFeatures.fit(*texts(train))
    return features(*texts(train)), features(*texts(measured))
