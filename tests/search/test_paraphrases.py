from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from sentence_transformers.util import paraphrase_mining_embeddings

from unmask.search import paraphrases as searching
from unmask.search.close_pairs import Blocks, Pairs
from unmask.search.comparing_config import ParaphrasesConfig
from unmask.search.neighbours import nearest
from unmask.search.paraphrases import paraphrases
from unmask.search.unit_vectors import unit_vectors

Vectors = NDArray[np.float32]


def sentences(number: int, *, equal: int = 0, seed: int = 0) -> Vectors:
    """Vectors of which some are alike, and the first few equal."""
    chance = np.random.default_rng(seed)
    axes = 1.0 / np.sqrt(np.arange(1, 25))
    vectors = chance.normal(size=(number, 24)) * axes
    later = chance.choice(number, number // 3, replace=False)
    vectors[later] = vectors[chance.integers(0, number, len(later))]
    vectors += 0.1 * chance.normal(size=vectors.shape) * axes
    vectors[:equal] = vectors[0]
    return vectors.astype(np.float32)


def listed(pairs: Pairs) -> list[tuple[int, int]]:
    return list(zip(pairs.i.tolist(), pairs.j.tolist(), strict=True))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"top_k": 3},
        {"top_k": 1},
        {"max_pairs": 50},
        {"top_k": 2, "max_pairs": 70},
        {"top_k": 10_000},
    ],
    ids=str,
)
def test_pairs_and_scores_are_those_of_sentence_transformers(settings: dict[str, Any]) -> None:
    vectors = sentences(200)

    found = paraphrases(vectors, ParaphrasesConfig(**settings))

    theirs = paraphrase_mining_embeddings(torch.from_numpy(vectors), **settings)
    scores = {(i, j): score for score, i, j in theirs}
    # As sets: scores that are equal but for their last bits stand in another order there.
    assert set(listed(found)) == set(scores)
    assert len(found.i) == len(theirs)
    assert found.scores == pytest.approx([scores[pair] for pair in listed(found)], abs=1e-5)
    assert (np.diff(found.scores) <= 0.0).all()


@pytest.mark.parametrize("settings", [{"max_pairs": 200}, {"top_k": 3, "max_pairs": 150}, {}])
def test_both_ways_give_the_same_whatever_the_blocks(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = sentences(300, equal=12)
    config = ParaphrasesConfig(threshold=0.5, **settings)
    expected = paraphrases(vectors, config)  # few enough texts to find all neighbours
    monkeypatch.setattr(searching, "_SAMPLE", 40)
    monkeypatch.setattr(searching, "_of_all_neighbours", None)

    for blocks in (Blocks(), Blocks(16, 64)):
        found = paraphrases(vectors, config, blocks)

        assert listed(found) == listed(expected)
        assert (found.scores == expected.scores).all()


def test_a_guess_that_gives_too_few_pairs_is_made_good(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = sentences(300)
    config = ParaphrasesConfig(max_pairs=400)
    expected = paraphrases(vectors, config)
    monkeypatch.setattr(searching, "_least", lambda *_: 0.99)

    assert listed(paraphrases(vectors, config)) == listed(expected)


def test_pairs_that_count_for_neither_text_need_not_be_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors = sentences(300, equal=100)
    config = ParaphrasesConfig(top_k=2, threshold=0.5)
    expected = paraphrases(vectors, config)
    monkeypatch.setattr(searching, "_least", lambda *_: 0.5)
    monkeypatch.setattr(searching, "_MOST_PAIRS", 500)

    assert listed(paraphrases(vectors, config, Blocks(16, 32))) == listed(expected)


def test_of_equally_near_texts_the_earlier_one_is_nearer() -> None:
    vectors = np.tile(sentences(1), (5, 1))

    assert listed(paraphrases(vectors, ParaphrasesConfig(top_k=1))) == [
        (0, 1), (0, 2), (0, 3), (0, 4),
    ]  # fmt: skip


def test_no_pair_lies_below_the_threshold() -> None:
    everything = paraphrases(sentences(200)).scores

    found = paraphrases(sentences(200), ParaphrasesConfig(threshold=0.6)).scores

    assert found.tolist() == everything[everything >= 0.6].tolist()


def test_two_texts_are_one_pair() -> None:
    assert listed(paraphrases([[1.0, 0.0], [0.0, 1.0]])) == [(0, 1)]


@pytest.mark.parametrize("cells", [1, 1000, 2**24])
def test_neighbours_do_not_depend_on_how_many_are_looked_for_together(cells: int) -> None:
    queries, documents = unit_vectors(sentences(40, seed=1)), unit_vectors(sentences(90, equal=9))

    found = nearest(queries, documents, 12, cells)

    scores = queries.astype(np.float64) @ documents.T.astype(np.float64)
    expected = nearest(queries, documents, 12)
    assert (found.ids == expected.ids).all()
    assert (found.scores == expected.scores).all()
    best = -np.sort(-scores, axis=1)[:, :12]
    assert found.scores == pytest.approx(best, abs=1e-6)


def test_fewer_documents_than_asked_for_leave_places_empty() -> None:
    queries, documents = unit_vectors(sentences(3)), unit_vectors(sentences(2))

    found = nearest(queries, documents, 4)

    assert (found.ids[:, 2:] == -1).all()
    assert np.isneginf(found.scores[:, 2:]).all()
    assert np.sort(found.ids[:, :2]).tolist() == [[0, 1]] * 3


@pytest.mark.parametrize(
    "settings", [{"top_k": 0}, {"max_pairs": 0}, {"threshold": 1.5}, {"threshold": -2.0}], ids=str
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(settings))):
        ParaphrasesConfig(**settings)
