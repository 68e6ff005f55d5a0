"""The nearest of many vectors to each of others, exactly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.nn.linear import affine
from unmask.search.close_pairs import Ids, places
from unmask.search.embedder import Vectors
from unmask.search.unit_vectors import ROUNDING, SUMMING, cosines, same_width

_CELLS = 2**24
"""Products held at once."""


class Neighbours(NamedTuple):
    """For each query the nearest documents, best first."""

    ids: Ids
    """(Q, K); -1 where there are fewer documents than K."""
    scores: NDArray[np.float32]
    """(Q, K) cosines; -infinity there."""


class Near(NamedTuple):
    """Documents near to queries, in the order of the queries, then best first."""

    query: Ids
    """(P,) ascending."""
    document: Ids
    """(P,)"""
    scores: NDArray[np.float32]
    """(P,) cosines; of equal ones the earlier document comes first."""


def nearest(queries: Vectors, documents: Vectors, top_k: int, cells: int = _CELLS) -> Neighbours:
    """The `top_k` documents (N, D) of the greatest cosine to each query (Q, D), both of length 1.

    Exact; of equally near documents the earlier ones. Products are made of some queries at a time,
    `cells` at once at most (but at least one query's).

    Raises:
        DataError: Queries and documents have not equally many dimensions.
    """
    same_width(queries, documents)
    found = min(top_k, len(documents))
    ids = np.full((len(queries), top_k), -1)
    scores = np.full((len(queries), top_k), -np.inf, dtype=np.float32)
    step = max(1, cells // len(documents))
    for start in range(0, len(queries), step):
        some = queries[start : start + step]
        products = _products(some, documents)
        least = torch.from_numpy(products).topk(found, dim=1).values[:, -1:].numpy()
        near = _near(some, documents, products, least)
        begin = np.searchsorted(near.query, np.arange(len(some)))[:, None]
        first = begin + np.arange(found)  # (B, found)
        ids[start : start + step, :found] = near.document[first]
        scores[start : start + step, :found] = near.scores[first]
    return Neighbours(ids, scores)


def within(queries: Vectors, documents: Vectors, threshold: float) -> Near:
    """All documents whose cosine to a query reaches a threshold, both of length 1.

    Meant for few queries at a time: all their products are held at once.
    """
    least = np.float32(threshold - ROUNDING)
    near = _near(queries, documents, _products(queries, documents), least)
    keep = near.scores >= least
    return Near(near.query[keep], near.document[keep], near.scores[keep])


def _products(queries: Vectors, documents: Vectors) -> Vectors:
    with torch.inference_mode():
        return affine(torch.from_numpy(queries), torch.from_numpy(documents), None).numpy()


def _near(
    queries: Vectors, documents: Vectors, products: Vectors, least: NDArray[np.float32] | np.float32
) -> Near:
    """What is not certainly below `least`, with cosines that do not depend on the products' shape.

    A product of matrices is added up in another order for another number of rows, which changes the
    last bits; so candidates are taken from a little below, and scored one by one.
    """
    query, document = places(products >= least - SUMMING)
    scores = cosines(queries, query, documents, document)
    order = np.lexsort((document, -scores, query))
    return Near(query[order], document[order], scores[order])
