"""How alike vectors are: by cosine, dot product, or distance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from unmask.tasks.sentence_config import Similarity

Vectors = Any
"""(N, D) or (D,): a tensor, an array, or a list of either."""


def similarity(a: Vectors, b: Vectors, by: Similarity) -> Tensor:
    """(N, D) and (M, D) to (N, M); distances count negatively.

    Worked example:

    >>> similarity([[3.0, 4.0]], [[4.0, 3.0], [6.0, 8.0]], "cosine")
    tensor([[0.9600, 1.0000]])
    """
    return _MATRICES[by](as_matrix(a), as_matrix(b))


def similarity_pairwise(a: Vectors, b: Vectors, by: Similarity) -> Tensor:
    """(N, D) and (N, D) to (N,), each with its partner."""
    return _PAIRS[by](as_matrix(a), as_matrix(b))


def as_matrix(vectors: Vectors) -> Tensor:
    """(N, D) float; one vector alone is a row."""
    if isinstance(vectors, list | tuple):
        is_rows = bool(vectors) and isinstance(vectors[0], Tensor)
        rows = torch.stack(list(vectors)) if is_rows else torch.as_tensor(np.asarray(vectors))
        made = rows if is_rows else rows.float()  # Python's numbers are doubles by chance alone
    else:
        made = vectors if isinstance(vectors, Tensor) else torch.as_tensor(np.asarray(vectors))
    made = made if made.is_floating_point() else made.float()
    return made[None] if made.ndim == 1 else made


_MATRICES: Mapping[Similarity, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine": lambda a, b: functional.normalize(a, dim=-1) @ functional.normalize(b, dim=-1).mT,
    "dot": lambda a, b: a @ b.mT,
    "euclidean": lambda a, b: -torch.cdist(a, b, p=2.0),
    "manhattan": lambda a, b: -torch.cdist(a, b, p=1.0),
}
_PAIRS: Mapping[Similarity, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine": lambda a, b: (functional.normalize(a, dim=-1) * functional.normalize(b, dim=-1)).sum(
        -1
    ),
    "dot": lambda a, b: (a * b).sum(-1),
    "euclidean": lambda a, b: -(a - b).norm(dim=-1),
    "manhattan": lambda a, b: -(a - b).abs().sum(-1),
}
