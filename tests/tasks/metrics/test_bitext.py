"""Translations are found as by sentence-transformers and by MTEB."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.bitext import score_intervals, scores
from unmask.tasks.metrics.resampling import Bootstrap, mean_interval


@pytest.fixture
def sides() -> tuple[np.ndarray, np.ndarray]:
    """Vectors of 120 pairs, of which some find another."""
    draw = np.random.default_rng(0)
    source = draw.standard_normal((120, 6))
    return source, source + 0.8 * draw.standard_normal((120, 6)) + 0.5


def nearest_of(queries: np.ndarray, corpus: np.ndarray) -> np.ndarray:
    units = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (queries, corpus)]
    return (units[0] @ units[1].T).argmax(axis=1)


def test_figures_are_those_of_mteb(sides: tuple[np.ndarray, np.ndarray]) -> None:
    source, target = sides
    found = scores(source, target)
    wanted = np.arange(120)
    for name, (queries, corpus) in {
        "src2trg": (source, target),
        "trg2src": (target, source),
    }.items():
        predicted = nearest_of(queries, corpus)
        expected = metrics.f1_score(wanted, predicted, average="weighted", zero_division=0)
        assert found[f"{name}_f1"] == pytest.approx(expected, abs=1e-12)
        assert found[f"{name}_accuracy"] == pytest.approx(np.mean(predicted == wanted))
    for measure in ("accuracy", "f1"):
        both = [found[f"{name}_{measure}"] for name in ("src2trg", "trg2src")]
        assert found[f"mean_{measure}"] == pytest.approx(np.mean(both))
    assert 0.2 < found["mean_f1"] < found["mean_accuracy"] < 1


def test_mteb_itself_agrees(sides: tuple[np.ndarray, np.ndarray]) -> None:
    package = pytest.importorskip("mteb.abstasks.text.bitext_mining")
    source, target = sides
    neighbours = [{"corpus_id": int(i)} for i in nearest_of(source, target)]
    task: Any = package.AbsTaskBitextMining
    expected = task._compute_metrics(None, neighbours, [(i, i) for i in range(120)])
    found = scores(source, target)
    assert found["src2trg_f1"] == pytest.approx(expected["f1"], abs=1e-12)
    assert found["src2trg_accuracy"] == pytest.approx(expected["accuracy"])


def test_accuracies_are_those_of_sentence_transformers_for_equal_texts_too(
    sides: tuple[np.ndarray, np.ndarray], evaluators: ModuleType, as_model: Callable[..., Any]
) -> None:
    names = [[f"{side}{i % 100}" for i in range(120)] for side in "ab"]
    source, target = (side[np.arange(120) % 100] for side in sides)
    vectors = dict(zip(names[0] + names[1], np.concatenate((source, target)), strict=True))
    expected = evaluators.TranslationEvaluator(*names, write_csv=False)(as_model(vectors))
    found = scores(source, target, source_texts=names[0], target_texts=names[1])
    for name in ("src2trg_accuracy", "trg2src_accuracy", "mean_accuracy"):
        assert found[name] == pytest.approx(expected[name])
    assert scores(source, target)["mean_accuracy"] < found["mean_accuracy"]


def test_f1_counts_equal_texts_as_one_sentence(sides: tuple[np.ndarray, np.ndarray]) -> None:
    source, target = (side[np.arange(120) % 100] for side in sides)
    texts = [str(i % 100) for i in range(120)]
    found = scores(source, target, source_texts=texts, target_texts=texts)
    predicted = nearest_of(source, target) % 100
    expected = metrics.f1_score(np.arange(120) % 100, predicted, average="weighted")
    assert found["src2trg_f1"] == pytest.approx(expected, abs=1e-12)


def test_perfect_translations_are_found() -> None:
    found = scores(np.eye(4), 3 * np.eye(4))
    assert set(found.values()) == {1.0}


def test_intervals_are_those_of_hits(sides: tuple[np.ndarray, np.ndarray]) -> None:
    bootstrap = Bootstrap(seed=4, num_resamples=60)
    found = score_intervals(*sides, bootstrap)
    hits = nearest_of(*sides) == np.arange(120)
    assert found["src2trg_accuracy"] == mean_interval(hits, bootstrap)
    assert found["mean_accuracy"].value == pytest.approx(scores(*sides)["mean_accuracy"])
    assert found.keys() == {"src2trg_accuracy", "trg2src_accuracy", "mean_accuracy"}


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(UsageError, match="2 source vectors, 3 target vectors"):
        scores(np.eye(2), np.eye(3))
    with pytest.raises(UsageError, match="2 target vectors, 1 target texts"):
        scores(np.eye(2), np.eye(2), target_texts=["a"])
    with pytest.raises(DataError, match="no pairs of sentences"):
        scores(np.empty((0, 2)), np.empty((0, 2)))
    with pytest.raises(DataError, match="corpus: vector 1 is not finite"):
        scores(np.eye(2), np.array([[1.0, 0.0], [np.nan, 0.0]]))
