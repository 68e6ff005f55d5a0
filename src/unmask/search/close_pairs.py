"""All pairs of vectors from a cosine on, in bounded memory, none missed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.search.block_workers import in_order
from unmask.search.embedder import Vectors
from unmask.search.sketch import sketch
from unmask.search.unit_vectors import ROUNDING, cosines

Ids = NDArray[np.int64]


class Pairs(NamedTuple):
    """Pairs of vectors and their cosines."""

    i: Ids
    """(P,)"""
    j: Ids
    """(P,), each above its `i`."""
    scores: NDArray[np.float32]
    """(P,)"""

    @classmethod
    def none(cls) -> Pairs:
        """No pair."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))

    @classmethod
    def joined(cls, several: list[Pairs]) -> Pairs:
        """All of several, in their order."""
        return cls(*map(np.concatenate, zip(*several, strict=True))) if several else cls.none()

    def where(self, chosen: NDArray[np.bool_] | Ids) -> Pairs:
        """Some of them."""
        return Pairs(self.i[chosen], self.j[chosen], self.scores[chosen])


Worth = Callable[[Ids, Ids], NDArray[np.bool_]]
"""(P,) which of some pairs are worth scoring, by their `i` and `j`."""


@dataclass(frozen=True)
class Blocks:
    """How many vectors are compared with how many at once; changes nothing but time and memory."""

    rows: int = 1024
    columns: int = 4096

    def __post_init__(self) -> None:
        assert 1 <= self.rows <= self.columns, "the first block of a row holds the rows' own pairs"


BLOCKS = Blocks()
"""Products of both kinds that stay in the cache until they are looked at."""


def close_pairs(
    vectors: Vectors,
    threshold: float,
    worth: Worth | None = None,
    blocks: Blocks = BLOCKS,
) -> Iterator[Pairs]:
    """The pairs of (N, D) vectors of length 1 whose cosine reaches a threshold.

    Exact: each pair is first bounded from above by the product of two short vectors (see `sketch`),
    and scored by its cosine in float32 where that bound reaches the threshold. Only half of the
    square is looked at, in blocks. Their pairs come row by row, and the first block of a row holds
    the pairs inside these rows. `worth` may leave out candidates before they are scored, by what
    the pairs of the blocks before have told.

    Memory: the vectors' sketches, and a few blocks, as wholes where all their pairs are near.
    """
    search = _Search(vectors, threshold - ROUNDING, blocks)
    corners = _corners(len(vectors), blocks)
    if worth is None:
        yield from in_order(search.pairs, corners)
        return
    for i, j in in_order(search.candidates, corners):
        keep = worth(i, j)
        yield search.scored(i[keep], j[keep])


def _corners(num_vectors: int, blocks: Blocks) -> Iterator[tuple[int, int]]:
    """The first row and column of each block on and above the diagonal."""
    for row in range(0, num_vectors, blocks.rows):
        for column in range(row, num_vectors, blocks.columns):
            yield row, column


class _Search:
    """Looks at blocks of pairs, in any thread."""

    def __init__(self, vectors: Vectors, threshold: float, blocks: Blocks) -> None:
        self._vectors = vectors
        self._threshold = threshold
        self._short = sketch(vectors, threshold)
        self._floor = self._short.floor(threshold)
        self._blocks = blocks
        self._own = threading.local()
        """Room of each thread: memory that is asked for at every block would take longer to get
        than to fill."""

    def pairs(self, corner: tuple[int, int]) -> Pairs:
        """The pairs of a block."""
        return self.scored(*self.candidates(corner))

    def candidates(self, corner: tuple[int, int]) -> tuple[Ids, Ids]:
        """The pairs (P,) of a block whose bound is not below the threshold."""
        room, mask = self._room()
        rows = slice(corner[0], corner[0] + self._blocks.rows)
        columns = slice(corner[1], corner[1] + self._blocks.columns)
        bounds = self._short.bounds(rows, columns, room)
        near = mask[: bounds.size].reshape(bounds.shape)
        np.greater_equal(bounds, self._floor, out=near)
        i, j = places(near)
        i, j = i + rows.start, j + columns.start
        if columns.start < rows.stop:
            is_above = i < j  # one of a pair's two places, and none of a vector with itself
            i, j = i[is_above], j[is_above]
        return i, j

    def scored(self, i: Ids, j: Ids) -> Pairs:
        """Those of some pairs that reach the threshold."""
        pairs = Pairs(i, j, cosines(self._vectors, i, self._vectors, j))
        return pairs.where(pairs.scores >= self._threshold)

    def _room(self) -> tuple[torch.Tensor, NDArray[np.bool_]]:
        if not hasattr(self._own, "room"):
            size = self._blocks.rows * self._blocks.columns
            self._own.room = torch.empty(size, dtype=self._short.matrix.dtype)
            self._own.mask = np.empty(size, dtype=np.bool_)
        return self._own.room, self._own.mask


def places(mask: NDArray[np.bool_]) -> tuple[Ids, Ids]:
    """The row and the column of everything true, row after row."""
    rows, columns = np.divmod(np.flatnonzero(mask), mask.shape[1])  # faster than in two dimensions
    return rows, columns
