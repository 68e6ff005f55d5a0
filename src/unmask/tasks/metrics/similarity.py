"""How similar two texts are said to be, against what people say: semantic textual similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics import regression
from unmask.tasks.metrics.checks import check_lengths
from unmask.tasks.metrics.counts import Floats
from unmask.tasks.metrics.resampling import Bootstrap, Interval

Similarity = Literal["cosine", "dot", "euclidean", "manhattan"]
Vectors = NDArray[np.floating]

SIMILARITIES: Final[tuple[Similarity, ...]] = ("cosine", "dot", "euclidean", "manhattan")
_CORRELATIONS = ("pearson", "spearman")
_ROWS = 2**13
"""Pairs at a time, so that the copies in float64 stay small."""
_LEAST_NORM = 1e-12
"""A shorter vector is as good as zero, and has cosine 0 with everything."""


def scores(
    one: Vectors,
    other: Vectors,
    targets: ArrayLike,
    similarities: Sequence[Similarity] = SIMILARITIES,
) -> dict[str, float]:
    """How the similarities of N pairs of vectors follow their N targets.

    `one` and `other` are (N, D), `targets` (N,) similarities of any range by annotators. Gives
    `spearman_NAME` (the correlation of ranks, ties averaged) and `pearson_NAME` for each
    similarity, in -1..1, under the names of sentence-transformers' `EmbeddingSimilarityEvaluator`.
    Spearman's of the cosine is what MTEB and Sentence-BERT's table 1 report. There is no
    `spearman_max`: picking the best similarity on the data that it is reported for flatters.

    Correlations are 0 where either side is all alike (see `regression.scores`).

    Neighbours: `pairwise`, `pair_classification.scores` where targets are 0 and 1.

    Worked example, cosines 1, 0.6 and 0 for targets 5, 4 and 0:

    >>> one, other = np.eye(2)[[0, 0, 0]], np.array([[2.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> found = scores(one, other, [5, 4, 0], ["cosine"])
    >>> round(found["spearman_cosine"], 4), round(found["pearson_cosine"], 4)
    (1.0, 0.9762)

    Source: Reimers and Gurevych 2019, section 4.1 (Spearman's correlation, by Reimers et al. 2016).

    Raises:
        UsageError: The arrays do not fit each other.
        DataError: No pairs, or a value that is not finite.
    """
    return {
        f"{measure}_{name}": found[measure]
        for name in similarities
        for found in [regression.scores(targets, pairwise(one, other, name))]
        for measure in _CORRELATIONS
    }


def score_intervals(
    one: Vectors,
    other: Vectors,
    targets: ArrayLike,
    bootstrap: Bootstrap,
    similarities: Sequence[Similarity] = SIMILARITIES,
) -> dict[str, Interval]:
    """Every figure of `scores` with its interval over pairs; takes and raises the same."""
    return {
        f"{measure}_{name}": found[measure]
        for name in similarities
        for found in [regression.score_intervals(targets, pairwise(one, other, name), bootstrap)]
        for measure in _CORRELATIONS
    }


def pairwise(one: Vectors, other: Vectors, similarity: Similarity) -> Floats:
    """(N,) the similarity of each row of `one` to the same row of `other`, both (N, D).

    The cosine; the dot product; or the Euclidean or Manhattan distance (L2, L1) made negative, so
    that more is more similar. A zero vector has cosine 0. In float64, whatever the vectors are.
    Other names: sentence-transformers' `pairwise_cos_sim`, `pairwise_euclidean_sim` and so on.

    >>> one, other = np.array([[3.0, 4.0]]), np.array([[0.0, 2.0]])
    >>> [round(float(pairwise(one, other, name)[0]), 4) for name in SIMILARITIES]
    [0.8, 8.0, -3.6056, -5.0]

    Raises:
        UsageError: No such similarity, or arrays that do not fit each other.
        DataError: No pairs, or a value that is not finite.
    """
    if similarity not in SIMILARITIES:
        raise UsageError(f"similarity `{similarity}`; expected {', '.join(SIMILARITIES)}.")
    _check(one, other)
    parts = [
        _pairwise(
            one[start : start + _ROWS].astype(np.float64),
            other[start : start + _ROWS].astype(np.float64),
            similarity,
        )
        for start in range(0, len(one), _ROWS)
    ]
    found = np.concatenate(parts)
    wrong = np.flatnonzero(~np.isfinite(found))
    if len(wrong):
        raise DataError(
            f"vectors of pair {wrong[0]} are not finite ({len(wrong)} of {len(found)} pairs); "
            "expected numbers. Look at the texts there, or whether training diverged."
        )
    return found


def _pairwise(one: Floats, other: Floats, similarity: Similarity) -> Floats:
    found: Floats
    with np.errstate(invalid="ignore", over="ignore"):
        if similarity == "euclidean":
            found = -np.sqrt(np.square(one - other).sum(axis=1))
        elif similarity == "manhattan":
            found = -np.abs(one - other).sum(axis=1)
        elif similarity == "cosine":
            found = (_normalised(one) * _normalised(other)).sum(axis=1)
        else:
            found = (one * other).sum(axis=1)
    return found


def _normalised(vectors: Floats) -> Floats:
    norms = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    scaled: Floats = vectors / np.maximum(norms, _LEAST_NORM)
    return scaled


def _check(one: Vectors, other: Vectors) -> None:
    check_lengths({"first vectors": one, "second vectors": other})
    if one.ndim != 2 or one.shape != other.shape:
        raise UsageError(
            f"vectors have the shapes {one.shape} and {other.shape}; expected two matrices of one "
            "shape, a row for each text. Are both by the same model?"
        )
    if not one.size:
        raise DataError("there are no pairs of vectors; expected at least one pair to measure.")
