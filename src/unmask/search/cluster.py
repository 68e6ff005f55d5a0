"""Groups of texts about the same: around a text, or around means."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.errors import DataError
from unmask.search.close_pairs import BLOCKS, Blocks, Ids, close_pairs
from unmask.search.comparing_config import ClusterConfig
from unmask.search.embedder import Vectors
from unmask.search.neighbours import Near, within
from unmask.search.unit_vectors import unit_vectors

_DEFAULT = ClusterConfig()
_CENTRES_AT_ONCE = 64
_ITERATIONS = 100


def cluster(
    vectors: ArrayLike, config: ClusterConfig = _DEFAULT, blocks: Blocks = BLOCKS
) -> list[Ids]:
    """Clusters of (N, D) vectors: the numbers of each one's texts, the largest cluster first.

    Without `num_clusters` a text is a possible centre if at least `min_size` texts, itself among
    them, have a cosine to it of the threshold or more. Beginning with the centre that has the most,
    each centre that lies in no cluster yet makes one with those texts that lie in none, if these
    are still `min_size`. The centre comes first, the others by falling cosine; clusters never
    overlap, and texts may lie in none. This is what sentence-transformers' `community_detection`
    does; of equally large ones the earlier centre is first, of equally near texts the earlier one.
    Exact, and in memory for a few centres at a time.

    With `num_clusters`, k-means over the vectors of length 1 (scikit-learn's, Lloyd's algorithm
    from k-means++, the same at every run); every text lies in a cluster, the nearest to its mean
    first.

    Raises:
        DataError: See `unit_vectors`; or fewer different vectors than clusters.
    """
    unit = unit_vectors(vectors)
    if config.num_clusters is not None:
        return _by_means(unit, config.num_clusters, config.seed)
    return _around_texts(unit, config.threshold, config.min_size, blocks)


def labels_of(clusters: list[Ids], num_texts: int) -> Ids:
    """(N,) the number of each text's cluster, from 0; -1 where it lies in none."""
    labels = np.full(num_texts, -1)
    for number, members in enumerate(clusters):
        labels[members] = number
    return labels


def _around_texts(vectors: Vectors, threshold: float, min_size: int, blocks: Blocks) -> list[Ids]:
    sizes = _num_near(vectors, threshold, blocks)
    centres = np.argsort(-sizes, kind="stable")
    centres = centres[sizes[centres] >= min_size]
    is_free = np.ones(len(vectors), dtype=np.bool_)
    clusters: list[Ids] = []
    while len(centres := centres[is_free[centres]]):
        some, centres = centres[:_CENTRES_AT_ONCE], centres[_CENTRES_AT_ONCE:]
        near = within(vectors[some], vectors, threshold)
        for number, centre in enumerate(some):
            if not is_free[centre]:
                continue
            members = _members(near, number)
            members = members[is_free[members] & (members != centre)]
            if len(members) + 1 >= min_size:
                clusters.append(np.concatenate(([centre], members)))
                is_free[clusters[-1]] = False
    return sorted(clusters, key=len, reverse=True)


def _num_near(vectors: Vectors, threshold: float, blocks: Blocks) -> Ids:
    """(N,) how many texts are near to each, itself among them."""
    num_near = np.ones(len(vectors), dtype=np.int64)
    for pairs in close_pairs(vectors, threshold, blocks=blocks):
        for ids in (pairs.i, pairs.j):
            if len(ids):
                low = int(ids.min())
                counts = np.bincount(ids - low)
                num_near[low : low + len(counts)] += counts
    return num_near


def _members(near: Near, number: int) -> Ids:
    begin, end = np.searchsorted(near.query, (number, number + 1))
    return near.document[begin:end]


def _by_means(vectors: Vectors, num_clusters: int, seed: int) -> list[Ids]:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    different = len(np.unique(vectors, axis=0))
    if different < num_clusters:
        raise DataError(
            f"{different} different vectors for {num_clusters} clusters; expected at least as "
            "many vectors as clusters."
        )
    means = KMeans(num_clusters, n_init=1, max_iter=_ITERATIONS, random_state=seed)
    with threadpool_limits(1):  # several threads add up in the order in which they come
        labels: NDArray[np.int32] = means.fit_predict(vectors)
    distances = np.linalg.norm(vectors - means.cluster_centers_[labels], axis=1)
    order = np.lexsort((distances, labels))
    starts = np.searchsorted(labels[order], np.arange(1, num_clusters))
    return sorted(np.split(order, starts), key=len, reverse=True)
