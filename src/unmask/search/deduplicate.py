"""Texts that say the same: groups of them, and the one of each that is kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from unmask.search.close_pairs import BLOCKS, Blocks, Ids, Pairs, close_pairs
from unmask.search.comparing_config import DeduplicateConfig
from unmask.search.embedder import Vectors
from unmask.search.unit_vectors import unit_vectors

_DEFAULT = DeduplicateConfig()
_PAIRS_AT_ONCE = 1_000_000
"""Pairs that are held before they are joined, which takes a pass over all texts."""


@dataclass(frozen=True)
class Duplicates:
    """For each text the one that is kept for it, the first of its group."""

    representative: Ids
    """(N,) its own number where a text is kept."""

    @cached_property
    def kept(self) -> Ids:
        """The numbers of the texts to keep, ascending."""
        return np.flatnonzero(self.representative == np.arange(len(self.representative)))

    @cached_property
    def groups(self) -> list[Ids]:
        """The numbers of texts that say the same, two or more, ascending; by their first."""
        order = np.argsort(self.representative, kind="stable")
        starts = np.flatnonzero(np.diff(self.representative[order], prepend=-1))
        return [group for group in np.split(order, starts[1:]) if len(group) > 1]


def deduplicate(
    vectors: ArrayLike, config: DeduplicateConfig = _DEFAULT, blocks: Blocks = BLOCKS
) -> Duplicates:
    """Groups (N, D) vectors, N at least 2, whose cosine reaches a threshold.

    Exact: every pair from the threshold on is found, see `close_pairs`. By single linkage two texts
    are in one group if a chain of such pairs leads from one to the other. By stars the texts are
    taken in order, and each joins the most similar of those kept so far, if that is a duplicate,
    and else is kept. In both no two kept texts are duplicates; with stars everything left out is
    one of the text kept for it (Aslam, Pelekhov and Rus 2004, "The star clustering algorithm",
    whose stars begin at the text with the most duplicates instead of the first).

    For example, of three texts in which each is a duplicate of the next, but the first not of the
    third, single linkage keeps one and stars two:

    >>> ends = [[1.0, 0.0], [0.8, 0.6], [0.28, 0.96]]
    >>> deduplicate(ends, DeduplicateConfig(threshold=0.8)).representative.tolist()
    [0, 0, 0]
    >>> deduplicate(ends, DeduplicateConfig(threshold=0.8, linkage="star")).kept.tolist()
    [0, 2]

    Raises:
        DataError: See `unit_vectors`.
    """
    unit = unit_vectors(vectors)
    if config.linkage == "star":
        return Duplicates(_stars(unit, config.threshold, blocks))
    return Duplicates(_linked(unit, config.threshold, blocks))


def _linked(vectors: Vectors, threshold: float, blocks: Blocks) -> Ids:
    """(N,) the first text that a chain of duplicates leads to."""
    first = np.arange(len(vectors))
    held: list[Pairs] = []
    num_held = 0
    for pairs in close_pairs(vectors, threshold, lambda i, j: first[i] != first[j], blocks):
        held.append(pairs)
        num_held += len(pairs.i)
        if num_held >= _PAIRS_AT_ONCE:
            first[:] = _join(first, Pairs.joined(held))
            held, num_held = [], 0
    return _join(first, Pairs.joined(held))


def _join(first: Ids, pairs: Pairs) -> Ids:
    """The first text of each group, when pairs have been joined to groups."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = len(first)
    edges = np.ones(len(pairs.i), dtype=np.bool_), (first[pairs.i], first[pairs.j])
    _, labels = connected_components(coo_array(edges, shape=(size, size)), directed=False)
    labels = labels[first]
    firsts = np.full(size, size)
    np.minimum.at(firsts, labels, np.arange(size))
    joined: Ids = firsts[labels]
    return joined


def _stars(vectors: Vectors, threshold: float, blocks: Blocks) -> Ids:
    """(N,) the most similar of the texts kept before it; of equally similar ones the first."""
    nearest = np.arange(len(vectors))
    scores = np.full(len(vectors), -np.inf, dtype=np.float32)
    for pairs in close_pairs(vectors, threshold, lambda i, _: nearest[i] == i, blocks):
        starts = np.flatnonzero(np.diff(pairs.i, prepend=-1))
        for start, end in zip(starts, np.append(starts, len(pairs.i))[1:], strict=True):
            i = pairs.i[start]
            # By now all pairs of it with earlier texts have come, so its fate is known.
            if nearest[i] == i:
                j, score = pairs.j[start:end], pairs.scores[start:end]
                is_better = score > scores[j]
                nearest[j[is_better]] = i
                scores[j[is_better]] = score[is_better]
    return nearest
