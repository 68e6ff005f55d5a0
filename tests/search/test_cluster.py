from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from sentence_transformers.util import community_detection
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import normalize

from unmask.errors import DataError
from unmask.search import cluster as clustering
from unmask.search.close_pairs import Blocks
from unmask.search.cluster import cluster, labels_of
from unmask.search.comparing_config import ClusterConfig

Vectors = NDArray[np.float32]


def topics(number: int, *, spread: float = 0.4, seed: int = 0) -> tuple[Vectors, NDArray[np.int64]]:
    """Vectors about topics of very different size, and the topic of each."""
    chance = np.random.default_rng(seed)
    axes = 1.0 / np.sqrt(np.arange(1, 33))
    centres = chance.normal(size=(12, 32)) * axes
    weights = 1.0 / np.arange(1, 13)
    about = chance.choice(12, number, p=weights / weights.sum())
    vectors = centres[about] + spread * chance.normal(size=(number, 32)) * axes
    return vectors.astype(np.float32), about


@pytest.mark.parametrize("threshold", [0.6, 0.75, 0.9])
@pytest.mark.parametrize("min_size", [2, 5, 25])
def test_clusters_are_those_of_sentence_transformers(threshold: float, min_size: int) -> None:
    vectors, _ = topics(300)

    found = cluster(vectors, ClusterConfig(threshold=threshold, min_size=min_size))

    theirs = community_detection(torch.from_numpy(vectors), threshold, min_size)
    # No two cosines to a centre are equal, and equally large ones go by their centre in both.
    assert [members.tolist() for members in found] == theirs


@pytest.mark.parametrize("blocks", [Blocks(1, 1), Blocks(16, 50)])
@pytest.mark.parametrize("at_once", [1, 1000])
def test_clusters_do_not_depend_on_blocks(
    blocks: Blocks, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, _ = topics(200)
    vectors[50:70] = vectors[50]
    config = ClusterConfig(threshold=0.7, min_size=3)
    expected = [members.tolist() for members in cluster(vectors, config)]
    monkeypatch.setattr(clustering, "_CENTRES_AT_ONCE", at_once)

    assert [members.tolist() for members in cluster(vectors, config, blocks)] == expected


def test_a_cluster_is_within_the_threshold_of_its_centre_and_shares_no_text() -> None:
    vectors, _ = topics(300)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    found = cluster(vectors, ClusterConfig(threshold=0.7, min_size=4))

    for members in found:
        scores = unit[members] @ unit[members[0]]
        assert len(members) >= 4
        assert scores.min() >= 0.7 - 1e-6
        assert (np.diff(scores[1:]) <= 1e-6).all()
    everything = np.concatenate(found)
    assert len(np.unique(everything)) == len(everything)
    assert [len(members) for members in found] == sorted(map(len, found), reverse=True)


def test_labels_tell_what_lies_in_no_cluster() -> None:
    clusters = [np.array([4, 0, 2]), np.array([1])]

    assert labels_of(clusters, 6).tolist() == [0, 1, 0, -1, 0, -1]


def test_clusters_larger_than_all_texts_do_not_exist() -> None:
    assert cluster(topics(20)[0], ClusterConfig(min_size=30)) == []


def test_k_means_is_that_of_scikit_learn_over_directions() -> None:
    vectors, about = topics(400, spread=0.15)

    found = cluster(vectors, ClusterConfig(num_clusters=12, seed=3))

    labels = labels_of(found, 400)
    theirs = KMeans(12, n_init=1, random_state=3).fit_predict(normalize(vectors))
    assert len(found) == 12
    assert adjusted_rand_score(theirs, labels) == 1.0
    assert adjusted_rand_score(about, labels) > 0.5


def test_k_means_begins_with_the_text_nearest_to_the_mean() -> None:
    vectors, _ = topics(200)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    for members in cluster(vectors, ClusterConfig(num_clusters=5)):
        distances = np.linalg.norm(unit[members] - unit[members].mean(axis=0), axis=1)
        assert distances[0] == pytest.approx(distances.min(), abs=1e-5)


def test_more_clusters_than_different_vectors_are_refused() -> None:
    vectors = np.tile(topics(4)[0], (5, 1))

    with pytest.raises(DataError, match="4 different vectors for 5 clusters"):
        cluster(vectors, ClusterConfig(num_clusters=5))


@pytest.mark.parametrize(
    "settings", [{"threshold": 1.1}, {"min_size": 0}, {"num_clusters": 1}, {"seed": -1}], ids=str
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(settings))):
        ClusterConfig(**settings)
