"""How alike two embeddings are, or how far apart."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, linalg

_LEAST_LENGTH = 1e-12
"""A vector that is shorter has no direction (the bound of `torch.nn.functional.normalize`)."""

PairMeasure = Callable[[Tensor, Tensor], Tensor]
"""(..., E) twice to (...)."""


def unit(vectors: Tensor) -> Tensor:
    """(..., E) scaled to length one; a vector of length zero stays and gets no gradient.

    `torch.nn.functional.normalize` gives it one of size 1e12 times what comes in, which after
    clipping would leave nothing of the rest of the batch.
    """
    length: Tensor = linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / length.masked_fill(length < _LEAST_LENGTH, float("inf"))


def unchanged(vectors: Tensor) -> Tensor:
    """(..., E) as they are."""
    return vectors


SIMILARITIES: dict[str, Callable[[Tensor], Tensor]] = {"cosine": unit, "dot": unchanged}
"""What vectors become, so that their inner product is the similarity."""


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """(..., E) twice to (...) in -1..1; 0 where one has length zero."""
    return (unit(first) * unit(second)).sum(-1)


def cosine_distance(first: Tensor, second: Tensor) -> Tensor:
    """1 - cosine: (..., E) twice to (...) in 0..2."""
    return 1.0 - cosine(first, second)


def euclidean_distance(first: Tensor, second: Tensor) -> Tensor:
    """(..., E) twice to (...); the gradient of equal vectors is zero."""
    length: Tensor = linalg.vector_norm(first - second, dim=-1)
    return length


def manhattan_distance(first: Tensor, second: Tensor) -> Tensor:
    """(..., E) twice to (...)."""
    return (first - second).abs().sum(-1)


DISTANCES: dict[str, PairMeasure] = {
    "cosine": cosine_distance,
    "euclidean": euclidean_distance,
    "manhattan": manhattan_distance,
}
"""By their names in the settings."""
