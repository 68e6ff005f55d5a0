"""Several rankings made one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def reciprocal_rank_fusion(rankings: Sequence[Sequence[K]], rrf_k: float) -> list[tuple[K, float]]:
    """Whatever stands in a ranking, with its score, the greatest first.

    Each ranking, best first, gives 1 / (rrf_k + rank), ranks from 1; the scores of the rankings
    themselves do not matter, so that cosines and BM25 need no common measure. Of equal scores the
    one that was met first comes first. Source: Cormack, Clarke and Buettcher 2009, "Reciprocal rank
    fusion outperforms Condorcet and individual rank learning methods", SIGIR, which takes 60.

    >>> reciprocal_rank_fusion([["a", "b"], ["b", "c"]], rrf_k=60)[0]
    ('b', 0.03252247488101534)
    """
    scores: dict[K, float] = {}
    for ranking in rankings:
        for rank, key in enumerate(ranking, 1):
            scores[key] = scores.get(key, 0.0) + 1.0 / (rrf_k + rank)
    return sorted(scores.items(), key=lambda item: -item[1])
