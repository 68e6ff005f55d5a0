"""The nearest vectors by looking at all of them, memory-mapped, in bounded memory."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.search.embedder import Vectors
from unmask.tasks.metrics.exact import best_of, none_yet

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
        return none_yet(0, top_k)
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([s for _, s in parts])


def _exact(vectors: Vectors, queries: Vectors, top_k: int, mask: NDArray[np.bool_] | None) -> Found:
    found = none_yet(len(queries), top_k)
    few = None
    if mask is not None and mask.mean() <= _GATHERED_SHARE:
        few = np.flatnonzero(mask)
    total = len(vectors) if few is None else len(few)
    for start in range(0, total, _ROWS):
        if few is not None:
            numbers = few[start : start + _ROWS]
            scores = _products(queries, vectors[numbers])  # (Q, rows)
        else:
            numbers = np.arange(start, min(start + _ROWS, total))
            scores = _products(queries, vectors[start : start + _ROWS])
            if mask is not None:
                scores[:, ~mask[start : start + _ROWS]] = -np.inf
        found = best_of(found, scores, numbers)
    return found


def _products(queries: Vectors, vectors: Vectors) -> Vectors:
    """(Q, D) and (n, D) to (Q, n), by torch: numpy's threads would wait for those of the model."""
    products: Vectors = (torch.from_numpy(queries) @ torch.from_numpy(vectors).T).numpy()
    return products


def best(rows: NDArray[np.int64], scores: NDArray[np.float32], top_k: int) -> Found:
    """The `top_k` best of (Q, n) candidates, in order, filled up where there are fewer.

    Candidates of score -inf are none.
    """
    return best_of(none_yet(len(scores), top_k), scores, rows)


def merge(parts: list[Found], top_k: int) -> Found:
    """The best of several."""
    rows = np.concatenate([rows for rows, _ in parts], axis=1)
    scores = np.concatenate([scores for _, scores in parts], axis=1)
    return best(rows, scores, top_k)
