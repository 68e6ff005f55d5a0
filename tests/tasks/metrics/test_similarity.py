"""Similarities of pairs and their correlations are those of scipy and sentence-transformers."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.resampling import Bootstrap
from unmask.tasks.metrics.similarity import SIMILARITIES, pairwise, score_intervals, scores


@pytest.fixture
def pairs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two hundred pairs of vectors, and targets that follow them a little."""
    draw = np.random.default_rng(0)
    one = draw.standard_normal((200, 12)).astype(np.float32)
    closeness = draw.random((200, 1))
    other = closeness * one + (1 - closeness) * draw.standard_normal((200, 12))
    return one, other.astype(np.float32), (5 * closeness[:, 0]).round(1)


def test_similarities_are_those_of_scipy(pairs: tuple[np.ndarray, ...]) -> None:
    one, other, _ = (side.astype(np.float64) for side in pairs)
    by_scipy = {
        "cosine": lambda a, b: 1 - distance.cosine(a, b),
        "dot": np.dot,
        "euclidean": lambda a, b: -distance.euclidean(a, b),
        "manhattan": lambda a, b: -distance.cityblock(a, b),
    }
    for name in SIMILARITIES:
        expected = [by_scipy[name](a, b) for a, b in zip(one, other, strict=True)]
        assert pairwise(*pairs[:2], name) == pytest.approx(expected, abs=1e-12)


def test_figures_are_those_of_sentence_transformers(
    pairs: tuple[np.ndarray, ...], evaluators: ModuleType, as_model: Callable[..., Any]
) -> None:
    one, other, targets = pairs
    names = [[f"{side}{i}" for i in range(len(targets))] for side in "ab"]
    vectors = dict(zip(names[0] + names[1], np.concatenate((one, other)), strict=True))
    evaluator = evaluators.EmbeddingSimilarityEvaluator(
        *names, targets.tolist(), similarity_fn_names=list(SIMILARITIES), write_csv=False
    )
    expected = evaluator(as_model(vectors))
    found = scores(one, other, targets)
    assert found.keys() == expected.keys() - {"pearson_max", "spearman_max"}
    for name, value in found.items():
        # They compute in single precision, where two similarities may change places.
        assert value == pytest.approx(expected[name], abs=1e-5), name


def test_correlations_are_those_of_scipy(pairs: tuple[np.ndarray, ...]) -> None:
    one, other, targets = pairs
    found = scores(one, other, targets, ["dot"])
    dots = (one.astype(np.float64) * other).sum(axis=1)
    assert found["spearman_dot"] == pytest.approx(stats.spearmanr(dots, targets).statistic)
    assert found["pearson_dot"] == pytest.approx(stats.pearsonr(dots, targets).statistic)


def test_a_vector_of_zeros_has_cosine_0() -> None:
    assert pairwise(np.zeros((1, 3)), np.ones((1, 3)), "cosine").tolist() == [0]


def test_a_million_numbers_are_not_copied_at_once() -> None:
    one = np.ones((100_000, 64), dtype=np.float32)
    tracemalloc.start()
    found = pairwise(one, one, "cosine")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.tolist() == pytest.approx([1.0] * 100_000)
    assert peak < 50e6  # the pairs in float64 are 100 MB


def test_intervals_hold_the_figures_of_resampled_pairs(pairs: tuple[np.ndarray, ...]) -> None:
    one, other, targets = pairs
    found = score_intervals(one, other, targets, Bootstrap(seed=1, num_resamples=30), ["cosine"])
    drawn = np.random.default_rng(1).integers(200, size=(30, 200))
    again = [scores(one[i], other[i], targets[i], ["cosine"])["spearman_cosine"] for i in drawn]
    low, high = np.quantile(again, [0.025, 0.975])
    one_of = found["spearman_cosine"]
    assert (one_of.low, one_of.high) == (pytest.approx(low), pytest.approx(high))
    assert one_of.value == scores(one, other, targets)["spearman_cosine"]
    assert found.keys() == {"spearman_cosine", "pearson_cosine"}


def test_what_cannot_be_scored_is_refused() -> None:
    one = np.ones((2, 3))
    with pytest.raises(UsageError, match="2 first vectors, 1 second vectors"):
        scores(one, one[:1], [1, 2])
    with pytest.raises(UsageError, match=r"shapes \(2, 3\) and \(2, 4\).* by the same model"):
        scores(one, np.ones((2, 4)), [1, 2])
    with pytest.raises(UsageError, match="3 targets, 2 predictions"):
        scores(one, one, [1, 2, 3])
    with pytest.raises(UsageError, match="similarity `cosinus`; expected cosine, dot"):
        scores(one, one, [1, 2], ["cosinus"])  # type: ignore[list-item]
    with pytest.raises(DataError, match="no pairs of vectors"):
        scores(one[:0], one[:0], [])
    broken = one.copy()
    broken[1, 2] = np.nan
    for name in SIMILARITIES:
        with pytest.raises(DataError, match=r"vectors of pair 1 are not finite \(1 of 2 pairs\)"):
            scores(one, broken, [1, 2], [name])
    with pytest.raises(DataError, match="targets: nan in row 0"):
        scores(one, one, [np.nan, 2])
