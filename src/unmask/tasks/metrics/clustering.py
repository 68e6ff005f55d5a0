"""Whether texts of one class lie together: k-means against the classes, by the v-measure.

Two protocols of MTEB: `scores` clusters all texts once (its legacy tasks, such as
TwentyNewsgroupsClustering), `sampled_scores` ten samples (its tasks named .v2). The number of
clusters is always that of the classes.

k-means begins at random, so a seed belongs to every figure; another seed gives another figure, and
scikit-learn's with another number of threads may differ in the last digits. There is no bootstrap
over texts here: a resample holds texts twice, and these cluster together. The spread over the
samples, which `sampled_scores` gives, says how sure it is.
"""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import homogeneity_completeness_v_measure

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.checks import check_lengths

_NAMES = ("homogeneity", "completeness", "v_measure")


def scores(
    labels: ArrayLike, vectors: NDArray[np.floating], *, seed: int, batch_size: int = 500
) -> dict[str, float]:
    """`homogeneity`, `completeness` and `v_measure` of one clustering of all N vectors.

    `labels` are (N,) classes, numbers or strings; `vectors` (N, D), clustered as they are:
    normalise them first to cluster by the cosine. MTEB's legacy protocol, mini-batch k-means.

    Neighbours: `sampled_scores`, `agreement` of any clusters.

    >>> found = scores(["a", "a", "b"], np.array([[0.0, 1.0], [0.1, 1.0], [5.0, 0.0]]), seed=0)
    >>> {name: round(value, 4) for name, value in found.items()}
    {'homogeneity': 1.0, 'completeness': 1.0, 'v_measure': 1.0}

    Raises:
        UsageError: Not as many vectors as labels.
        DataError: No vectors, or one that is not finite.
    """
    classes, points = _checked(labels, vectors)
    clusters = _clusters(points, int(classes.max()) + 1, seed, batch_size, "auto")
    return agreement(classes, clusters)


def sampled_scores(
    labels: ArrayLike,
    vectors: NDArray[np.floating],
    *,
    seed: int,
    num_samples: int = 10,
    sample_size: int = 16_384,
    batch_size: int = 512,
) -> dict[str, float]:
    """The means of `homogeneity`, `completeness` and `v_measure` over clusterings of samples.

    Also the `_std` of each: the standard deviation over the samples (with their number as the
    denominator, as MTEB has it). Each sample draws `sample_size` of the N texts with replacement,
    however many there are, and has as many clusters as all the texts have classes. MTEB's protocol
    for tasks of one level of labels (`AbsTaskClustering`, whose sizes are the defaults here); the
    same seed gives the same draws, unless MTEB has drawn before, to choose which texts to embed.

    Neighbour: `scores`, which takes and raises the same.

    Raises:
        UsageError: Not as many vectors as labels, or no samples.
        DataError: No vectors, or one that is not finite.
    """
    if num_samples < 1 or sample_size < 1:
        raise UsageError(f"{num_samples} samples of {sample_size} texts; expected at least 1 of 1.")
    classes, points = _checked(labels, vectors)
    num_classes = int(classes.max()) + 1
    draw = random.Random(seed)
    found: list[list[float]] = []
    for _ in range(num_samples):
        sample = np.array(draw.choices(range(len(points)), k=sample_size))
        clusters = _clusters(points[sample], min(num_classes, sample_size), seed, batch_size, 1)
        found.append(list(agreement(classes[sample], clusters).values()))
    means, spreads = np.mean(found, axis=0), np.std(found, axis=0)
    return dict(zip(_NAMES, means.tolist(), strict=True)) | {
        f"{name}_std": spread for name, spread in zip(_NAMES, spreads.tolist(), strict=True)
    }


def agreement(labels: ArrayLike, clusters: ArrayLike) -> dict[str, float]:
    """How (N,) clusters agree with (N,) classes, whatever either are called; all in 0..1.

    `homogeneity` is 1 - H(class | cluster) / H(class): 1 where no cluster mixes classes;
    `completeness` is 1 - H(cluster | class) / H(cluster): 1 where no class is torn apart;
    `v_measure` is their harmonic mean, which is also the mutual information of both, normalised by
    the mean of their entropies (NMI). The first two are 1 where their denominator is 0. Chance
    alone gives more than 0, the more so the more clusters there are.

    Worked example, where one of two classes of two is torn apart:

    >>> found = agreement(["a", "a", "b", "b"], [0, 1, 2, 2])
    >>> {name: round(value, 4) for name, value in found.items()}
    {'homogeneity': 1.0, 'completeness': 0.6667, 'v_measure': 0.8}

    Source: Rosenberg and Hirschberg 2007, "V-measure: a conditional entropy-based external cluster
    evaluation measure", equations 1 to 3; scikit-learn.

    Raises:
        UsageError: Not as many clusters as labels.
        DataError: There are none.
    """
    classes, groups = _numbered("labels", labels), _numbered("clusters", clusters)
    check_lengths({"labels": classes, "clusters": groups})
    found = homogeneity_completeness_v_measure(classes, groups)
    return {name: float(value) for name, value in zip(_NAMES, found, strict=True)}


def _clusters(
    points: NDArray[np.floating], num_clusters: int, seed: int, batch_size: int, num_starts: Any
) -> NDArray[np.int32]:
    kmeans = MiniBatchKMeans(
        num_clusters, batch_size=batch_size, n_init=num_starts, random_state=seed
    )
    with warnings.catch_warnings():
        # Fewer distinct vectors than classes: the clusters that stay empty lower the figure.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found: NDArray[np.int32] = kmeans.fit_predict(points)
    return found


def _checked(
    labels: ArrayLike, vectors: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    classes = _numbered("labels", labels)
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise UsageError(f"vectors: the shape is {vectors.shape}; expected (texts, width).")
    check_lengths({"labels": classes, "vectors": vectors})
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(wrong):
        raise DataError(
            f"vector {wrong[0]} is not finite ({len(wrong)} of {len(vectors)}); expected numbers. "
            "Look at the text there, or whether training diverged."
        )
    return classes, vectors


def _numbered(name: str, values: ArrayLike) -> NDArray[np.int64]:
    """The values as numbers from 0 on, in sorted order."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise UsageError(f"{name}: {array.ndim} dimensions {array.shape}; expected 1.")
    if not array.size:
        raise DataError(f"{name}: there are none; expected at least one text to cluster.")
    numbers: NDArray[np.int64] = np.unique(array, return_inverse=True)[1].astype(np.int64)
    return numbers
