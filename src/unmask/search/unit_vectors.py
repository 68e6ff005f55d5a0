"""Vectors as the semantic utilities compare them: checked, float32, of length 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.errors import DataError
from unmask.search.embedder import Vectors

ROUNDING = 1e-6
"""By how much float32 may miss a cosine: a score so far below a threshold reaches it, so that equal
vectors are alike at 1."""
SUMMING = 3e-5
"""More than float32 loses of a cosine when its products are added up in some other order."""
_ROWS_AT_ONCE = 4096
_PAIRS_AT_ONCE = 512
"""Pairs scored together, whose vectors stay in the cache: 0.1 us each, and 1 us for 2,048."""


def unit_vectors(given: ArrayLike, name: str = "vectors", *, least: int = 2) -> Vectors:
    """A copy of (N, D) numbers, each row scaled to length 1; a row of zeros stays one.

    Args:
        given: (N, D), any real type; may be mapped into memory, it is read once.
        name: How messages call it.
        least: Fewest rows.

    Raises:
        DataError: Not a matrix of numbers, too few rows, or a row that is not finite.
    """
    array = np.asarray(given)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or array.shape[1] == 0:
        raise DataError(
            f"{name}: an array of {array.dtype} and shape {array.shape}; expected numbers of shape "
            "(texts, dimensions)."
        )
    if len(array) < least:
        found = {0: "no text", 1: "one text"}.get(len(array), f"{len(array)} texts")
        raise DataError(f"{name}: {found}; expected at least {least}, to be compared.")
    unit = np.empty(array.shape, dtype=np.float32)
    for start in range(0, len(array), _ROWS_AT_ONCE):
        rows = array[start : start + _ROWS_AT_ONCE].astype(np.float64)
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            raise DataError(
                f"{name}: row {start + int(np.argmin(finite))}, from 0, holds NaN or infinity; the "
                "model is broken, or computes in a precision too low."
            )
        # Scaled by the greatest number first: the square of a large one may be infinite.
        rows /= np.maximum(np.abs(rows).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        unit[start : start + len(rows)] = rows / np.where(lengths == 0.0, 1.0, lengths)
    return unit


def same_width(queries: Vectors, documents: Vectors) -> None:
    """Refuses vectors of different models.

    Raises:
        DataError: They have not equally many dimensions.
    """
    if queries.shape[1] != documents.shape[1]:
        raise DataError(
            f"vectors of {queries.shape[1]} and of {documents.shape[1]} dimensions; expected the "
            "same model for both."
        )


def cosines(
    left: Vectors, i: NDArray[np.int64], right: Vectors, j: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(P,) cosines of rows `i` of one with rows `j` of the other, which are of length 1.

    Each is added up by itself, so it is the same to the last bit however the pairs are divided.
    """
    scores = np.empty(len(i), dtype=np.float32)
    for start in range(0, len(i), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        np.vecdot(left[i[part]], right[j[part]], out=scores[part])
    return scores
