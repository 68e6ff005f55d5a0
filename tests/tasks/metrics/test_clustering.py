"""Clusterings follow MTEB's protocols to the digit, and agree with scikit-learn."""

from __future__ import annotations

import random
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.clustering import agreement, sampled_scores, scores


@pytest.fixture
def texts() -> tuple[list[str], np.ndarray]:
    """Labels of 400 texts, and vectors of which those of a label lie together, more or less."""
    draw = np.random.default_rng(0)
    classes = draw.integers(5, size=400)
    centres = 1.2 * draw.standard_normal((5, 8))
    return [f"class {c}" for c in classes], centres[classes] + draw.standard_normal((400, 8))


def test_agreement_is_that_of_scikit_learn() -> None:
    draw = np.random.default_rng(1)
    for _ in range(30):
        labels, clusters = draw.integers(4, size=(2, 25))
        found = agreement(labels.astype(str), clusters)
        for name in ("homogeneity", "completeness", "v_measure"):
            expected = getattr(metrics, f"{name}_score")(labels, clusters)
            assert found[name] == pytest.approx(expected, abs=1e-12)
    nmi = metrics.normalized_mutual_info_score(labels, clusters)
    assert found["v_measure"] == pytest.approx(nmi)


def test_one_clustering_is_that_of_mteb(texts: tuple[list[str], np.ndarray]) -> None:
    package = pytest.importorskip("mteb._evaluators.clustering_evaluator")
    labels, vectors = texts
    evaluator = object.__new__(package.ClusteringEvaluator)
    evaluator.dataset = {"labels": labels}
    evaluator.label_column_name = "labels"
    evaluator.clustering_batch_size = 500
    evaluator.seed = 42
    fitted = mteb_clusters(package, evaluator, vectors)
    expected = metrics.v_measure_score(labels, fitted)
    assert scores(labels, vectors, seed=42)["v_measure"] == pytest.approx(expected, abs=1e-12)


def mteb_clusters(package: Any, evaluator: Any, vectors: np.ndarray) -> list[int]:
    """What MTEB's evaluator predicts for a model that gives these vectors."""
    evaluator.input_column_name = evaluator.task_metadata = None
    evaluator.hf_split = evaluator.hf_subset = None
    evaluator.timer = lambda *_args, **_options: warnings.catch_warnings()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package, "create_dataloader", lambda *_args, **_options: None)
        model = SimpleNamespace(encode=lambda *_args, **_options: vectors)
        return evaluator(model, encode_kwargs={})


def test_sampled_clusterings_are_those_of_mteb(texts: tuple[list[str], np.ndarray]) -> None:
    package = pytest.importorskip("mteb.abstasks.clustering")
    labels, vectors = texts
    by_level, _ = package._evaluate_clustering_bootstrapped(
        vectors,
        [[label] for label in labels],
        n_clusters=4,
        cluster_size=150,
        kmean_batch_size=512,
        max_depth=None,
        rng_state=random.Random(42),
        seed=42,
    )
    expected = by_level["v_measure"]["Level 0"]
    found = sampled_scores(labels, vectors, seed=42, num_samples=4, sample_size=150)
    assert found["v_measure"] == pytest.approx(np.mean(expected), abs=1e-12)
    assert found["v_measure_std"] == pytest.approx(np.std(expected), abs=1e-12)
    assert found["v_measure_std"] > 0


def test_a_seed_gives_the_same_figures_again(texts: tuple[list[str], np.ndarray]) -> None:
    labels, vectors = texts
    assert scores(labels, vectors, seed=1) == scores(labels, vectors, seed=1)
    one, other = (
        sampled_scores(labels, vectors, seed=seed, num_samples=2, sample_size=100)
        for seed in (1, 2)
    )
    assert one != other


def test_fewer_vectors_than_classes_is_a_bad_clustering_and_no_warning() -> None:
    found = scores([0, 1, 2, 3], np.ones((4, 2)), seed=0)
    assert found["homogeneity"] == pytest.approx(0, abs=1e-12)
    assert found["completeness"] == 1


def test_one_class_is_always_whole() -> None:
    found = scores(["a"] * 3, np.eye(3), seed=0)
    assert found == {"homogeneity": 1, "completeness": 1, "v_measure": 1}


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(UsageError, match="2 labels, 3 vectors"):
        scores(["a", "b"], np.eye(3), seed=0)
    with pytest.raises(
        UsageError, match=r"vectors: the shape is \(3,\); expected \(texts, width\)"
    ):
        scores(["a", "b", "c"], np.ones(3), seed=0)
    with pytest.raises(DataError, match="labels: there are none"):
        scores([], np.empty((0, 2)), seed=0)
    with pytest.raises(DataError, match=r"vector 1 is not finite \(1 of 2\)"):
        scores(["a", "b"], np.array([[0.0, 1.0], [np.inf, 1.0]]), seed=0)
    with pytest.raises(UsageError, match="0 samples of 16384 texts"):
        sampled_scores(["a"], np.ones((1, 1)), seed=0, num_samples=0)
    with pytest.raises(UsageError, match="2 labels, 1 clusters"):
        agreement(["a", "b"], [0])
