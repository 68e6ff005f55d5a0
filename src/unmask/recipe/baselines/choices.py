"""Baselines of multiple choice: the same for every choice, judged right or wrong by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import ChoiceExample
from unmask.recipe.baselines import probe
from unmask.recipe.baselines.features import STRENGTHS, TextFeatures
from unmask.recipe.baselines.linear import Features, OneOf, choose
from unmask.tasks.multiple_choice import MultipleChoice

Examples = Sequence[ChoiceExample]


def baselines(
    task: MultipleChoice, train: Examples, measured: Examples, base: Bundle
) -> dict[str, dict[str, float]]:
    """The scores of each.

    The majority is the place where the right choice stands most often. TF-IDF sees each text with
    each choice as a pair; the probe reads them encoded together.
    """
    task = replace(task, temperature=1.0)  # the fine-tuned model's is not theirs
    probed = probe.drawn(train, lambda example: len(example.choices), probe.MOST_SEQUENCES)
    reader = probe.Means(task, _joined)
    first, other = probe.standardised(reader, probed, measured, base)
    features = TextFeatures.fit(*_pairs(train))
    given, asked = features(*_pairs(train)), features(*_pairs(measured))
    return {
        "majority": task.score(measured, _places(train, measured)),
        "tf-idf + logistic regression": _scored(task, train, measured, given, asked, STRENGTHS),
        "linear probe": _scored(task, probed, measured, first, other, probe.STRENGTHS),
    }


def _scored(
    task: MultipleChoice,
    train: Examples,
    measured: Examples,
    first: Features,
    other: Features,
    strengths: Sequence[float],
) -> dict[str, float]:
    is_right = np.array([int(i == e.label) for e in train for i in range(len(e.choices))])
    learner = OneOf(2)
    predict = learner.fit(first, is_right, choose(learner, first, is_right, strengths).strength)
    odds = np.diff(predict(other), axis=1)[:, 0]
    cuts = np.cumsum([len(example.choices) for example in measured])[:-1]
    return task.score(measured, np.split(odds, cuts))


def _places(train: Examples, measured: Examples) -> list[NDArray[np.float64]]:
    most = max(len(example.choices) for example in (*train, *measured))
    counts = np.bincount([example.label or 0 for example in train], minlength=most)
    return [np.log(counts[: len(example.choices)] + 1e-6) for example in measured]


def _pairs(examples: Examples) -> tuple[list[str], list[str]]:
    texts = [example.text for example in examples for _ in example.choices]
    return texts, [choice for example in examples for choice in example.choices]


def _joined(example: ChoiceExample, windows: Sequence[probe.Floats]) -> probe.Floats:
    """(choices, D) the mean over the text's windows, each of which stands with every choice."""
    vectors = np.concatenate(windows)
    grouped = vectors.reshape(-1, len(example.choices), vectors.shape[1])
    mean: probe.Floats = grouped.mean(axis=0)
    return mean
