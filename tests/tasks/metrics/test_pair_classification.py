"""Figures of pairs are those of scikit-learn and sentence-transformers, ties included."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.pair_classification import (
    at_threshold,
    embedding_scores,
    score_intervals,
    scores,
)
from unmask.tasks.metrics.resampling import Bootstrap
from unmask.tasks.metrics.similarity import SIMILARITIES

QUIET = settings(deadline=None, derandomize=True)

cases = st.lists(
    st.tuples(st.integers(0, 1), st.one_of(st.integers(-2, 2).map(float), st.floats(-1, 1))),
    min_size=1,
    max_size=12,
)


@QUIET
@given(cases)
def test_no_threshold_is_better_than_the_best(case: list[tuple[int, float]]) -> None:
    labels, given_scores = (np.array(side) for side in zip(*case, strict=True))
    found = scores(labels, given_scores)
    said = [given_scores >= limit for limit in [*given_scores, np.inf]]
    assert found["accuracy"] == pytest.approx(max(np.mean(one == labels) for one in said))
    f1 = [metrics.f1_score(labels, one, zero_division=0) for one in said]
    assert found["f1"] == pytest.approx(max(f1))
    for name, limit in (("accuracy", "accuracy_threshold"), ("f1", "f1_threshold")):
        assert at_threshold(labels, given_scores, found[limit])[name] == found[name]


@QUIET
@given(cases)
def test_figures_at_a_threshold_are_those_of_scikit_learn(case: list[tuple[int, float]]) -> None:
    labels, given_scores = (np.array(side) for side in zip(*case, strict=True))
    found = at_threshold(labels, given_scores, 0.25)
    said = (given_scores >= 0.25).astype(int)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, said))
    for name in ("precision", "recall", "f1"):
        expected = getattr(metrics, f"{name}_score")(labels, said, zero_division=0)
        assert found[name] == pytest.approx(expected)
    if len(set(labels) | set(said)) > 1:
        assert found["mcc"] == pytest.approx(metrics.matthews_corrcoef(labels, said))


@QUIET
@given(cases.filter(lambda case: len({label for label, _ in case}) == 2))
def test_average_precision_is_that_of_scikit_learn(case: list[tuple[int, float]]) -> None:
    labels, given_scores = zip(*case, strict=True)
    expected = metrics.average_precision_score(labels, given_scores)
    assert scores(labels, given_scores)["ap"] == pytest.approx(expected)


@pytest.mark.parametrize("num_values", [3, 10**6], ids=["mostly ties", "hardly a tie"])
def test_thresholds_are_those_of_sentence_transformers(
    evaluators: ModuleType, num_values: int
) -> None:
    draw = np.random.default_rng(num_values)
    for _ in range(50):
        labels = draw.integers(2, size=30)
        given_scores = draw.integers(num_values, size=30) / num_values
        found = scores(labels, given_scores)
        search = evaluators.BinaryClassificationEvaluator
        accuracy, limit = search.find_best_acc_and_threshold(given_scores, labels, True)
        assert (found["accuracy"], found["accuracy_threshold"]) == (accuracy, limit)
        f1, precision, recall, limit = search.find_best_f1_and_threshold(given_scores, labels, True)
        assert found["f1_threshold"] == limit
        for name, value in (("f1", f1), ("precision", precision), ("recall", recall)):
            assert found[name] == pytest.approx(value, abs=1e-12)


def test_figures_of_vectors_are_those_of_sentence_transformers(
    evaluators: ModuleType, as_model: Callable[..., Any]
) -> None:
    draw = np.random.default_rng(4)
    labels = draw.integers(2, size=150)
    one = draw.standard_normal((150, 8)).astype(np.float32)
    noise = draw.standard_normal((150, 8)) * np.where(labels, 1.0, 2.0)[:, None]
    other = (one + noise).astype(np.float32)
    names = [[f"{side}{i}" for i in range(150)] for side in "ab"]
    vectors = dict(zip(names[0] + names[1], np.concatenate((one, other)), strict=True))
    evaluator = evaluators.BinaryClassificationEvaluator(
        *names, labels.tolist(), similarity_fn_names=list(SIMILARITIES), write_csv=False
    )
    expected = evaluator(as_model(vectors))
    found = embedding_scores(one, other, labels)
    assert found.keys() == {name for name in expected if not name.startswith("max_")}
    for name, value in found.items():
        assert value == pytest.approx(expected[name], abs=1e-5), name
    assert found["euclidean_f1_threshold"] > 0 > found["cosine_f1_threshold"] - 1


def test_pairs_of_one_label_have_figures_where_they_mean_something() -> None:
    none = scores([0, 0], [0.3, 0.1])
    assert none["accuracy"] == 1
    assert none["accuracy_threshold"] > 0.3
    assert (none["f1"], none["recall"], none["mcc"]) == (0, 0, 0)
    assert "ap" not in none
    every = scores([1, 1], [0.3, 0.1])
    assert (every["accuracy"], every["f1"], every["mcc"]) == (1, 1, 0)
    assert "ap" not in every


def test_intervals_hold_the_figures_of_resampled_pairs() -> None:
    draw = np.random.default_rng(6)
    labels = draw.integers(2, size=60)
    given_scores = (draw.random(60) + 0.4 * labels).round(1)
    found = score_intervals(labels, given_scores, Bootstrap(seed=2, num_resamples=40))
    best = scores(labels, given_scores)
    drawn = np.random.default_rng(2).integers(60, size=(40, 60))
    for name in ("f1", "precision", "recall", "mcc"):
        again = [
            at_threshold(labels[i], given_scores[i], best["f1_threshold"])[name] for i in drawn
        ]
        low, high = np.quantile(again, [0.025, 0.975])
        assert found[name].value == pytest.approx(best[name])
        assert (found[name].low, found[name].high) == (pytest.approx(low), pytest.approx(high))
    again = [scores(labels[i], given_scores[i])["ap"] for i in drawn]
    assert found["ap"].low == pytest.approx(np.quantile(again, 0.025))
    assert found.keys() == {name for name in best if not name.endswith("_threshold")}


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(UsageError, match="2 labels, 1 similarities"):
        scores([0, 1], [0.5])
    with pytest.raises(DataError, match="labels: 2 in row 1"):
        scores([0, 2], [0.5, 0.6])
    with pytest.raises(DataError, match="similarities: nan in row 1"):
        scores([0, 1], [0.5, np.nan])
    with pytest.raises(DataError, match="labels: there are none"):
        score_intervals([], [], Bootstrap())
