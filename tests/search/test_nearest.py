from __future__ import annotations

import numpy as np
import pytest

from unmask.search.folder import nearest
from unmask.search.folder.nearest import best, exact


@pytest.mark.parametrize("share", [None, 0.0, 0.1, 0.9])
@pytest.mark.parametrize("top_k", [1, 7, 400])
def test_the_nearest_of_those_allowed_in_order(
    share: float | None, top_k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "_ROWS", 64)
    monkeypatch.setattr(nearest, "_QUERIES", 3)
    chance = np.random.default_rng(0)
    vectors = chance.standard_normal((300, 8)).astype(np.float32)
    queries = chance.standard_normal((7, 8)).astype(np.float32)
    mask = None if share is None else chance.random(300) < share

    rows, scores = exact(vectors, queries, top_k, mask)

    every = queries @ vectors.T
    for query in range(7):
        allowed = np.arange(300) if mask is None else np.flatnonzero(mask)
        order = allowed[np.argsort(-every[query, allowed], kind="stable")][:top_k]
        there = rows[query] >= 0
        assert rows[query, there].tolist() == order.tolist()
        assert scores[query, there] == pytest.approx(every[query, order], abs=1e-5)
        assert (scores[query, ~there] == -np.inf).all()


def test_no_queries_find_nothing() -> None:
    rows, scores = exact(np.ones((3, 2), np.float32), np.zeros((0, 2), np.float32), 2, None)

    assert rows.shape == scores.shape == (0, 2)


@pytest.mark.parametrize("share", [None, 0.2, 0.9])
def test_of_equal_vectors_the_first_rows_are_found(
    share: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "_ROWS", 50)
    vectors = np.tile(np.eye(4, dtype=np.float32), (60, 1))
    mask = None if share is None else np.random.default_rng(0).random(240) < share

    rows, scores = exact(vectors, np.eye(4, dtype=np.float32), 7, mask)

    for query in range(4):
        allowed = np.arange(query, 240, 4)
        allowed = allowed if mask is None else allowed[mask[allowed]]
        assert rows[query].tolist() == allowed[:7].tolist()
    assert (scores == 1.0).all()


def test_of_equal_candidates_those_of_the_first_rows_stay() -> None:
    scores = np.ones((1, 500), np.float32)
    rows = np.random.default_rng(0).permutation(500)[None]

    assert best(rows, scores, 9)[0].tolist() == [list(range(9))]
