"""The nearest of many vectors, exactly: what approximate search is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.checks import check_lengths

Vectors = NDArray[np.float32]
Similarity = Literal["cosine", "dot"]

_QUERIES = 256
_DOCUMENTS = 2**14
"""Sizes of the blocks whose scores are held at once: 16 MB, and as much again to pick from."""
_LEAST_NORM = 1e-12
"""A shorter vector is as good as zero, and has cosine 0 with everything."""


class Nearest(NamedTuple):
    """The best documents of each query, the best first; of those that tie the smaller index."""

    indices: NDArray[np.int64]
    """(Q, k)"""
    scores: NDArray[np.float32]
    """(Q, k) their similarities."""


def nearest(
    queries: NDArray[np.floating],
    corpus: NDArray[np.floating],
    k: int,
    *,
    similarity: Similarity = "cosine",
) -> Nearest:
    """The `k` most similar of N corpus vectors, or all if N is less, for each of Q queries.

    Other names: brute-force or flat search. `queries` are (Q, D), `corpus` (N, D), which may be a
    memory-mapped array: it is read once, block by block, and beside it and the result only a few
    blocks of scores are held. Products are in float32, so that two scores that differ by rounding
    alone may change places; the choice among equal scores does not depend on the blocks.

    >>> nearest(np.eye(2), np.array([[3.0, 0.0], [1.0, 1.0], [0.0, 2.0]]), 2).indices.tolist()
    [[0, 1], [2, 1]]

    Neighbour: `as_run`, which gives documents their names for `retrieval.scores`.

    Raises:
        UsageError: Vectors of two widths, k below 1, or another similarity.
        DataError: No vectors, or one that is not finite or too long for float32.
    """
    if similarity not in ("cosine", "dot"):
        raise UsageError(f"similarity `{similarity}`; expected cosine or dot.")
    if k < 1:
        raise UsageError(f"the nearest {k}; expected at least 1.")
    wanted = _checked("queries", queries)
    if wanted.shape[1:] != corpus.shape[1:]:
        raise UsageError(
            f"queries have the shape {wanted.shape}, the corpus {corpus.shape}; expected two "
            "matrices with vectors of one width. Are both by the same model?"
        )
    wanted = _scaled(wanted, similarity)
    best = none_yet(len(wanted), min(k, len(corpus)))
    for start in range(0, max(1, len(corpus)), _DOCUMENTS):
        block = _checked("corpus", corpus[start : start + _DOCUMENTS], start)
        block = _scaled(block, similarity)
        parts = [
            best_of(_part(best, rows), wanted[rows] @ block.T, start + np.arange(len(block)))
            for rows in _slices(len(wanted), _QUERIES)
        ]
        best = Nearest(
            np.concatenate([part.indices for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )
    return best


def as_run(
    found: Nearest, query_ids: Sequence[str], document_ids: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Scores by query and document, as `retrieval.scores` takes them.

    >>> best = nearest(np.eye(2), np.eye(2), 1)
    >>> as_run(best, ["q1", "q2"], ["a", "b"])
    {'q1': {'a': 1.0}, 'q2': {'b': 1.0}}

    Raises:
        UsageError: Not as many ids as queries.
    """
    check_lengths({"query ids": query_ids, "rows of indices": found.indices})
    rows = zip(query_ids, found.indices.tolist(), found.scores.tolist(), strict=True)
    return {
        query: {document_ids[i]: score for i, score in zip(indices, scores, strict=True)}
        for query, indices, scores in rows
    }


def none_yet(num_queries: int, k: int) -> Nearest:
    """Where nothing was looked at: indices of -1, and scores of -inf."""
    return Nearest(
        np.full((num_queries, k), -1, dtype=np.int64),
        np.full((num_queries, k), -np.inf, dtype=np.float32),
    )


def best_of(known: Nearest, scores: Vectors, indices: NDArray[np.int64]) -> Nearest:
    """The best of (Q, k) known ones and of (Q, n) scores, each once; -inf is the score of nothing.

    `indices` are (n,), or (Q, n) where each query has candidates of its own. All that tie with the
    last place are compared by their indices, so that the choice among them is no accident.
    """
    num_queries, k = known.scores.shape
    least = known.scores[:, -1]
    if scores.shape[1] >= k:
        least = np.maximum(least, np.partition(scores, -k, axis=1)[:, -k])
    rows, columns = np.nonzero((scores >= least[:, None]) & (scores > -np.inf))
    all_rows = np.concatenate((np.repeat(np.arange(num_queries), k), rows))
    found = np.broadcast_to(indices, scores.shape)[rows, columns]
    all_indices = np.concatenate((known.indices.ravel(), found))
    all_scores = np.concatenate((known.scores.ravel(), scores[rows, columns]))
    order = np.lexsort((all_indices, -all_scores, all_rows))
    sorted_rows = all_rows[order]
    starts = np.searchsorted(sorted_rows, np.arange(num_queries))
    place = np.arange(len(order)) - starts[sorted_rows]
    taken = order[place < k].reshape(num_queries, k)
    return Nearest(all_indices[taken], all_scores[taken])


def _part(best: Nearest, rows: slice) -> Nearest:
    return Nearest(best.indices[rows], best.scores[rows])


def _slices(length: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, length, size)]


def _checked(name: str, vectors: NDArray[np.floating], start: int = 0) -> Vectors:
    if vectors.ndim != 2:
        raise UsageError(f"{name}: {vectors.ndim} dimensions {vectors.shape}; expected 2.")
    if not vectors.size:
        raise DataError(f"{name}: there are no vectors; expected at least one.")
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.asarray(vectors, dtype=np.float32)
        # Where squared norms are finite, no product of two vectors leaves float32.
        wrong = np.flatnonzero(~np.isfinite(np.einsum("nd,nd->n", array, array)))
    if len(wrong):
        raise DataError(
            f"{name}: vector {start + wrong[0]} is not finite, or too long for float32; expected "
            "numbers. Look at the text there, or whether training diverged."
        )
    return array


def _scaled(vectors: Vectors, similarity: Similarity) -> Vectors:
    if similarity == "dot":
        return vectors
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = vectors / np.maximum(norms, _LEAST_NORM)
    return scaled
