from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from sentence_transformers.util import paraphrase_mining_embeddings

from unmask.errors import DataError
from unmask.search import sketch as sketching
from unmask.search.close_pairs import Blocks, Pairs, close_pairs
from unmask.search.cluster import cluster
from unmask.search.comparing_config import DeduplicateConfig
from unmask.search.deduplicate import Duplicates, deduplicate
from unmask.search.paraphrases import paraphrases
from unmask.search.unit_vectors import unit_vectors

Vectors = NDArray[np.float32]


def scattered(number: int, dimension: int = 40, *, spread: float = 0.2, seed: int = 0) -> Vectors:
    """Vectors around a third as many directions, of any length, some equal, one of zeros."""
    chance = np.random.default_rng(seed)
    # As embeddings do, they vary along some axes far more than along others.
    axes = 1.0 / np.sqrt(np.arange(1, dimension + 1))
    centres = chance.normal(size=(number // 3, dimension)) * axes
    places = chance.integers(0, len(centres), number)
    vectors = centres[places] + spread * chance.normal(size=(number, dimension)) * axes
    vectors *= chance.uniform(0.5, 2.0, size=(number, 1))
    vectors[number // 2] = vectors[1]
    vectors[number // 3] = 0.0
    return vectors.astype(np.float32)


def all_pairs(vectors: Vectors, threshold: float) -> dict[tuple[int, int], float]:
    """Every pair from a threshold on with its cosine, the long way."""
    unit = unit_vectors(vectors).astype(np.float64)
    scores = unit @ unit.T
    i, j = np.nonzero(np.triu(scores >= threshold, 1))
    return dict(zip(zip(i.tolist(), j.tolist(), strict=True), scores[i, j], strict=True))


def stars(vectors: Vectors, threshold: float) -> list[int]:
    """Each text joins the most similar kept one before it, the long way."""
    near = all_pairs(vectors, threshold)
    found: list[int] = []
    for j in range(len(vectors)):
        kept = [i for i in range(j) if found[i] == i and (i, j) in near]
        found.append(max(kept, key=lambda i: (near[i, j], -i), default=j))
    return found


@pytest.fixture(params=[True, False], ids=["bfloat16", "float32"])
def precision(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds by either kind of product."""
    monkeypatch.setattr(sketching, "uses_bf16", lambda *_: request.param)


@pytest.mark.usefixtures("precision")
@pytest.mark.parametrize("threshold", [-0.2, 0.0, 0.5, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("spread", [0.05, 0.5])
def test_every_pair_is_found_with_its_cosine(threshold: float, spread: float) -> None:
    vectors = scattered(240, spread=spread)

    found = Pairs.joined(list(close_pairs(unit_vectors(vectors), threshold, blocks=Blocks(64, 64))))

    expected = all_pairs(vectors, threshold - 1e-6)
    pairs = list(zip(found.i.tolist(), found.j.tolist(), strict=True))
    assert set(pairs) == set(expected)
    assert len(pairs) == len(expected)
    assert found.scores == pytest.approx([expected[pair] for pair in pairs], abs=1e-6)


@pytest.mark.usefixtures("precision")
@pytest.mark.parametrize("width", [1, 7, 40])
def test_no_product_of_sketches_is_below_the_cosine(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sketching, "_best_width", lambda *_: width)
    unit = unit_vectors(scattered(300))

    short = sketching.sketch(unit, 0.5)

    matrix = short.matrix.double().numpy()
    cosines = unit.astype(np.float64) @ unit.astype(np.float64).T
    assert matrix.shape == (300, width + (width < 40))
    assert (matrix @ matrix.T + short.slack >= cosines).all()
    assert short.slack < 0.01


def test_more_axes_are_taken_for_lower_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketching, "_WIDTHS", (1, 3, 7, 15, 31))
    unit = unit_vectors(scattered(900, spread=1.0))

    widths = [sketching.sketch(unit, threshold).matrix.shape[1] for threshold in (0.95, 0.7)]

    assert widths == sorted(widths)
    assert widths[0] < widths[1]


@pytest.mark.parametrize("linkage", ["single", "star"])
@pytest.mark.parametrize("blocks", [Blocks(1, 1), Blocks(7, 16), Blocks(50, 50), Blocks(99, 1000)])
def test_groups_do_not_depend_on_blocks(blocks: Blocks, linkage: Any) -> None:
    vectors = scattered(150, spread=0.3)
    config = DeduplicateConfig(threshold=0.9, linkage=linkage)

    expected = deduplicate(vectors, config).representative

    found = deduplicate(vectors, config, blocks).representative
    assert 50 < len(np.unique(found)) < 140
    assert found.tolist() == expected.tolist()


def test_single_linkage_joins_what_a_chain_of_duplicates_joins() -> None:
    vectors = scattered(300, spread=0.3)
    near = all_pairs(vectors, 0.9)

    found = deduplicate(vectors, DeduplicateConfig(threshold=0.9))

    first = list(range(300))
    for _ in range(300):  # each takes the first of its neighbours' firsts, until nothing moves
        for i, j in near:
            first[i] = first[j] = min(first[i], first[j])
    assert found.representative.tolist() == first


@pytest.mark.parametrize("linkage", ["single", "star"])
def test_groups_do_not_depend_on_threads(linkage: Any) -> None:
    vectors = scattered(200, spread=0.3)
    config = DeduplicateConfig(threshold=0.9, linkage=linkage)
    expected = deduplicate(vectors, config, Blocks(4, 8)).representative

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    found = deduplicate(vectors, config, Blocks(4, 8)).representative
    torch.set_num_threads(before)

    assert found.tolist() == expected.tolist()


def test_pairs_are_joined_again_and_again_where_there_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors = scattered(150, spread=0.3)
    config = DeduplicateConfig(threshold=0.8)
    expected = deduplicate(vectors, config).representative.tolist()

    monkeypatch.setattr("unmask.search.deduplicate._PAIRS_AT_ONCE", 5)

    assert deduplicate(vectors, config, Blocks(8, 8)).representative.tolist() == expected


@pytest.mark.parametrize("blocks", [Blocks(), Blocks(4, 8)])
def test_stars_hold_what_is_a_duplicate_of_the_kept_text(blocks: Blocks) -> None:
    vectors = scattered(200, spread=0.3)
    near = all_pairs(vectors, 0.9)

    found = deduplicate(vectors, DeduplicateConfig(threshold=0.9, linkage="star"), blocks)

    kept = found.kept.tolist()
    assert not [pair for pair in near if set(pair) <= set(kept)]
    assert all((i, j) in near for j, i in enumerate(found.representative.tolist()) if i != j)
    assert found.representative.tolist() == stars(vectors, 0.9)


def test_groups_and_kept_texts_are_in_input_order() -> None:
    found = Duplicates(np.array([0, 1, 0, 3, 1, 1]))

    assert found.kept.tolist() == [0, 1, 3]
    assert [group.tolist() for group in found.groups] == [[0, 2], [1, 4, 5]]


@pytest.mark.parametrize("threshold", [0.8, 0.95])
def test_no_pair_of_sentence_transformers_is_missed(threshold: float) -> None:
    vectors = scattered(300, spread=0.25)
    theirs = paraphrase_mining_embeddings(torch.from_numpy(vectors), top_k=299)
    pairs = [(i, j) for score, i, j in theirs if score >= threshold + 1e-6]

    representative = deduplicate(vectors, DeduplicateConfig(threshold=threshold)).representative

    assert len(pairs) > 20
    assert [(i, j) for i, j in pairs if representative[i] != representative[j]] == []


def test_equal_vectors_are_duplicates_at_one() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 384))
    vectors[49] = 3.0 * vectors[7]

    found = deduplicate(vectors, DeduplicateConfig(threshold=1.0))

    assert [group.tolist() for group in found.groups] == [[7, 49]]


def test_a_vector_of_zeros_is_like_none() -> None:
    vectors = scattered(60)
    vectors[:5] = 0.0

    assert deduplicate(vectors).representative[:5].tolist() == [0, 1, 2, 3, 4]


def test_memory_is_for_blocks_and_not_for_all_pairs() -> None:
    vectors = np.tile(scattered(50), (100, 1))  # where every text has a hundred equals

    tracemalloc.start()
    deduplicate(vectors, DeduplicateConfig(threshold=0.99), Blocks(256, 512))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 5000**2  # bytes


def test_vectors_are_left_as_they_were() -> None:
    vectors = scattered(60)
    before = vectors.copy()

    deduplicate(vectors)

    assert (vectors == before).all()


@pytest.mark.parametrize("use", [deduplicate, paraphrases, cluster], ids=lambda use: use.__name__)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((1, 4)), "vectors: one text; expected at least 2"),
        (np.ones((0, 4)), "no text; expected at least 2"),
        (np.ones(4), r"float64 and shape \(4,\); expected numbers of shape \(texts, dimensions\)"),
        (np.ones((4, 0)), r"shape \(4, 0\)"),
        (np.array([["a"], ["b"]]), "an array of <U1"),
        (np.array([[1.0, 0.0], [np.nan, 1.0]]), "row 1, from 0, holds NaN or infinity"),
        (np.array([[np.inf, 0.0], [1.0, 1.0]]), "row 0, from 0, holds NaN or infinity"),
    ],
    ids=["one", "none", "flat", "no width", "words", "NaN", "infinity"],
)
def test_vectors_that_mean_nothing_are_refused(
    given: Any, message: str, use: Callable[[Any], object]
) -> None:
    with pytest.raises(DataError, match=message):
        use(given)


def test_huge_and_tiny_numbers_have_directions_too() -> None:
    vectors = np.array([[3e300, 4e300], [3e-300, 4e-300], [-3.0, 4.0]])

    assert unit_vectors(vectors).tolist() == pytest.approx(
        np.array([[0.6, 0.8], [0.6, 0.8], [-0.6, 0.8]])
    )


@pytest.mark.parametrize("threshold", [0.0, 1.01, -0.5, float("nan")])
def test_thresholds_that_are_no_likeness_are_refused(threshold: float) -> None:
    with pytest.raises(ValidationError, match="threshold"):
        DeduplicateConfig(threshold=threshold)
