"""The nearest vectors by looking at all of them, memory-mapped, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmask.search.embedder import Vectors

_QUERIES, _ROWS = 256, 16_384
"""Scores in memory at once: 16 MB."""
_GATHERED_SHARE = 0.25
"""Share of the rows up to which copying them out is quicker than looking at all."""

Found = tuple[NDArray[np.int64], NDArray[np.float32]]
"""(Q, k) rows and scores, best first, equal ones by row; -1 and -inf where there are fewer."""


def exact(vectors: Vectors, queries: Vectors, top_k: int, mask: NDArray[np.bool_] | None) -> Found:
    """The rows of (N, D) with the greatest dot product with each of (Q, D), among those of `mask`.

    `mask` is (N,), True for rows that may be found; None for all.
    """
    parts = [
        _exact(vectors, queries[start : start + _QUERIES], top_k, mask)
        for start in range(0, len(queries), _QUERIES)
    ]
    if not parts:
        return np.zeros((0, top_k), np.int64), np.zeros((0, top_k), np.float32)
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([s for _, s in parts])


def _exact(vectors: Vectors, queries: Vectors, top_k: int, mask: NDArray[np.bool_] | None) -> Found:
    rows = np.full((len(queries), top_k), -1, dtype=np.int64)
    scores = np.full((len(queries), top_k), -np.inf, dtype=np.float32)
    few = None
    if mask is not None and mask.mean() <= _GATHERED_SHARE:
        few = np.flatnonzero(mask)
    total = len(vectors) if few is None else len(few)
    for start in range(0, total, _ROWS):
        if few is not None:
            numbers = few[start : start + _ROWS]
            found = queries @ vectors[numbers].T  # (Q, rows)
        else:
            numbers = np.arange(start, min(start + _ROWS, total))
            found = queries @ vectors[start : start + _ROWS].T
            if mask is not None:
                found[:, ~mask[start : start + _ROWS]] = -np.inf
        rows, scores = merge(
            [(rows, scores), best(np.broadcast_to(numbers, found.shape), found, top_k)], top_k
        )
    return rows, scores


def best(rows: NDArray[np.int64], scores: NDArray[np.float32], top_k: int) -> Found:
    """The `top_k` best of (Q, n) candidates, in order, filled up where there are fewer.

    Candidates of score -inf are none.
    """
    if scores.shape[1] > top_k:
        picked = np.argpartition(-scores, top_k - 1, axis=1)[:, :top_k]
        rows = np.take_along_axis(rows, picked, 1)
        scores = np.take_along_axis(scores, picked, 1)
    order = np.lexsort((rows, -scores), axis=1)
    rows = np.take_along_axis(rows, order, 1)
    scores = np.take_along_axis(scores, order, 1)
    missing = top_k - scores.shape[1]
    rows = np.where(scores == -np.inf, -1, rows)
    if missing > 0:
        rows = np.pad(rows, ((0, 0), (0, missing)), constant_values=-1)
        scores = np.pad(scores, ((0, 0), (0, missing)), constant_values=-np.inf)
    return rows, scores


def merge(parts: list[Found], top_k: int) -> Found:
    """The best of several."""
    rows = np.concatenate([rows for rows, _ in parts], axis=1)
    scores = np.concatenate([scores for _, scores in parts], axis=1)
    return best(rows, scores, top_k)
