"""What search asks of models: vectors of texts, and scores of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unmask.errors import DataError

Vectors = NDArray[np.float32]
"""(N, D), C-contiguous."""


class Embedder(Protocol):
    """A model that makes vectors of texts."""

    @property
    def name(self) -> str:
        """How messages call it, and what an index remembers to load it by."""
        ...

    @property
    def sha256(self) -> str:
        """Of all that decides the vectors: weights, pooling, prompts."""
        ...

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        ...

    @property
    def max_length(self) -> int:
        """Most tokens of a document that it reads, special ones not counted."""
        ...

    @property
    def max_query_length(self) -> int:
        """Most tokens of a query that it reads, special ones not counted."""
        ...

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """(N, D) float32, as the model wants queries."""
        ...

    def encode_document(self, texts: Sequence[str]) -> Vectors:
        """(N, D) float32, as the model wants what is searched."""
        ...

    def spans(self, text: str) -> NDArray[np.int64]:
        """(T, 2) first character of each token and the one after its last, special ones left out.

        Ascending; counted in code points.
        """
        ...


class Reranker(Protocol):
    """A model that scores a query with each of several texts, such as a cross-encoder."""

    def rank(self, query: str, texts: Sequence[str]) -> NDArray[np.floating]:
        """(N,) scores of any range, more is better."""
        ...


def checked_vectors(vectors: Vectors, num_texts: int, embedder: Embedder, *, unit: bool) -> Vectors:
    """(N, D) vectors that can be stored or compared, scaled to length 1 if `unit`.

    A vector of zeros stays one.

    Raises:
        DataError: Not so many, not so wide, or not finite.
    """
    found = np.ascontiguousarray(vectors, dtype=np.float32)
    expected = (num_texts, embedder.dimension)
    if found.shape != expected:
        raise DataError(
            f"{embedder.name}: made vectors of shape {found.shape}, expected {expected}: it says "
            f"that it has {embedder.dimension} dimensions."
        )
    finite = np.isfinite(found).all(axis=1)
    if not finite.all():
        raise DataError(
            f"{embedder.name}: the vector of text {int(np.argmin(finite)) + 1} of {num_texts} is "
            "not finite (NaN or infinity); the model is broken, or computes in a precision too low."
        )
    if unit:
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        found = found / np.maximum(lengths, np.finfo(np.float32).tiny)
    return found
