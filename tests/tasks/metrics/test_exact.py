"""Exact search gives the same as sorting everything, whatever the blocks and the ties."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics import exact
from unmask.tasks.metrics.exact import as_run, nearest

QUIET = settings(deadline=None, derandomize=True)


def sorted_out(queries: np.ndarray, corpus: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices and scores by a stable sort of all products."""
    products = queries.astype(np.float64) @ corpus.T.astype(np.float64)
    order = np.argsort(-products, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(products, order, axis=1)


@QUIET
@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 12), st.integers(1, 9))
def test_blocks_and_ties_change_nothing(seed: int, size: int, k: int, block: int) -> None:
    draw = np.random.default_rng(seed)
    # Small whole numbers: products are exact and often tie.
    queries = draw.integers(-2, 3, size=(5, 3)).astype(np.float32)
    corpus = draw.integers(-2, 3, size=(size, 3)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_QUERIES", 2)
        patch.setattr(exact, "_DOCUMENTS", block)
        found = nearest(queries, corpus, k, similarity="dot")
    indices, scores = sorted_out(queries, corpus, k)
    assert found.indices.tolist() == indices.tolist()
    assert found.scores.tolist() == scores.tolist()


def test_the_cosine_does_not_see_lengths() -> None:
    draw = np.random.default_rng(0)
    queries, corpus = draw.standard_normal((7, 16)), draw.standard_normal((300, 16))
    units = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (queries, corpus)]
    indices, scores = sorted_out(units[0], units[1], 10)
    found = nearest(queries, corpus * draw.uniform(0.1, 9, (300, 1)), 10)
    assert found.indices.tolist() == indices.tolist()
    assert found.scores == pytest.approx(scores, abs=1e-6)
    assert found.scores.dtype == np.float32


def test_a_vector_of_zeros_is_like_nothing() -> None:
    found = nearest(np.eye(2), np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]), 3)
    assert found.indices[0].tolist() == [1, 0, 2]
    assert found.scores[0].tolist() == [1, 0, -1]
    assert found.scores[1].tolist() == [0, 0, 0]


def test_a_corpus_on_disk_is_read_by_blocks(tmp_path: Path) -> None:
    corpus = np.random.default_rng(1).standard_normal((40_000, 64)).astype(np.float32)
    np.save(tmp_path / "corpus.npy", corpus)
    mapped = np.load(tmp_path / "corpus.npy", mmap_mode="r")
    queries = corpus[:100] + np.float32(0.01)
    tracemalloc.start()
    found = nearest(queries, mapped, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.indices[:, 0].tolist() == list(range(100))
    assert peak < 40e6  # one block of 16,384 documents: vectors twice, scores twice


def test_a_hundred_thousand_documents_take_seconds() -> None:
    draw = np.random.default_rng(2)
    corpus = draw.standard_normal((100_000, 384), dtype=np.float32)
    queries = draw.standard_normal((1000, 384), dtype=np.float32)
    start = time.perf_counter()
    found = nearest(queries, corpus, 10)
    assert time.perf_counter() - start < 30  # 2.6 s alone on two cores
    assert found.indices.shape == (1000, 10)


def test_a_run_names_queries_and_documents() -> None:
    found = nearest(np.array([[1.0, 0.0]]), np.array([[0.0, 2.0], [4.0, 0.0]]), 5)
    assert as_run(found, ["q"], ["a", "b"]) == {"q": {"b": 1.0, "a": 0.0}}
    with pytest.raises(UsageError, match="2 query ids, 1 rows of indices"):
        as_run(found, ["q", "r"], ["a", "b"])


def test_what_cannot_be_searched_is_refused() -> None:
    with pytest.raises(UsageError, match="similarity `euclidean`; expected cosine or dot"):
        nearest(np.eye(2), np.eye(2), 1, similarity="euclidean")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="nearest 0; expected at least 1"):
        nearest(np.eye(2), np.eye(2), 0)
    with pytest.raises(
        UsageError, match=r"shape \(2, 2\), the corpus \(3, 3\).* by the same model"
    ):
        nearest(np.eye(2), np.eye(3), 1)
    with pytest.raises(UsageError, match="queries: 1 dimensions"):
        nearest(np.ones(2), np.eye(2), 1)
    with pytest.raises(DataError, match="corpus: there are no vectors"):
        nearest(np.eye(2), np.empty((0, 2)), 1)
    broken = np.eye(3)
    broken[2, 1] = np.nan
    with pytest.raises(DataError, match="queries: vector 2 is not finite"):
        nearest(broken, np.eye(3), 1)
    broken[2, 1] = 1e30
    with pytest.raises(DataError, match="corpus: vector 2 is not finite, or too long"):
        nearest(np.eye(3), broken, 1, similarity="dot")
