from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from sentence_transformers.util import cos_sim, mine_hard_negatives, pairwise_cos_sim
from tests.search.embedders import Bag

from unmask.errors import DataError
from unmask.search.comparing_config import MiningConfig
from unmask.search.mine import Mined, mine
from unmask.search.mined_rows import rows

Pairs = list[tuple[str, str]]
WORDS = [f"{a}{b}{c}" for a in "bdfglm" for b in "aeiou" for c in ("", "n", "rk", "st")]
ALICE = [
    ("who fell", "Alice fell down a well"),
    ("who was late", "the rabbit was late"),
    ("who smiled", "the cat smiled"),
]


@pytest.fixture
def pairs() -> Pairs:
    """Pairs that share some words; every fourth anchor has a second positive."""
    chance = random.Random(0)
    found = []
    for i in range(40):
        words = chance.choices(WORDS, k=6)
        anchor = " ".join(words[:4])
        found.append((anchor, f"{i} {' '.join([*words[2:], *chance.choices(WORDS, k=2)])}"))
        if i % 4 == 0:
            found.append((anchor, f"{i} {' '.join([*words[1:], chance.choice(WORDS)])} too"))
    return found


@pytest.fixture
def corpus() -> list[str]:
    chance = random.Random(1)
    return [" ".join(chance.choices(WORDS, k=7)) for _ in range(60)]


class Theirs:
    """The same vectors as sentence-transformers asks for them."""

    device = torch.device("cpu")

    def encode_query(self, texts: list[str], **_: Any) -> NDArray[np.float32]:
        return Bag().encode_query(texts)

    def encode_document(self, texts: list[str], **_: Any) -> NDArray[np.float32]:
        return Bag().encode_document(texts)

    def similarity(self, left: Any, right: Any) -> Any:
        return cos_sim(left, right)

    def similarity_pairwise(self, left: Any, right: Any) -> Any:
        return pairwise_cos_sim(left, right)


@dataclass
class Overlap:
    """A reranker: the share of a query's words that a text has, to some digits of its own."""

    asked: list[str] = field(default_factory=list)

    def rank(self, query: str, texts: Sequence[str]) -> NDArray[np.float64]:
        self.asked.append(query)
        return np.array([self.of(query, text) for text in texts])

    def of(self, query: str, text: str) -> float:
        shared = set(query.split()) & set(text.split())
        return len(shared) / 4 + random.Random(f"{query}|{text}").random() / 100

    def predict(self, inputs: list[tuple[str, str]], **_: Any) -> Any:
        return torch.tensor([self.of(*pair) for pair in inputs])


FORMATS = ("triplet", "n-tuple", "labeled-pair", "labeled-list")
SETTINGS: list[dict[str, Any]] = [
    {},
    {"num_negatives": 1},
    {"range_min": 2, "range_max": 9},
    {"absolute_margin": 0.2},
    {"relative_margin": 0.4},
    {"max_score": 0.5, "min_score": 0.2},
    {"range_min": 1, "range_max": 12, "relative_margin": 0.3, "num_negatives": 5},
]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_rows_are_those_of_sentence_transformers(
    settings: dict[str, Any], scores: bool, form: Any, pairs: Pairs, corpus: list[str]
) -> None:
    compare(settings, scores, form, pairs, corpus, None)


@pytest.mark.parametrize("settings", [{"relative_margin": 0.2}, {"max_score": 0.4}], ids=str)
def test_rows_by_a_reranker_are_those_of_sentence_transformers(
    settings: dict[str, Any], pairs: Pairs, corpus: list[str]
) -> None:
    compare(settings, True, "n-tuple", pairs, corpus, Overlap())


def compare(
    settings: dict[str, Any],
    scores: bool,
    form: Any,
    pairs: Pairs,
    corpus: list[str],
    reranker: Overlap | None,
) -> None:
    datasets = pytest.importorskip("datasets")
    config = MiningConfig(duplicates=None, format=form, scores=scores, **settings)
    given = datasets.Dataset.from_dict(
        {"anchor": [a for a, _ in pairs], "positive": [p for _, p in pairs]}
    )

    found = list(rows(mine(pairs, Bag(), config, corpus, reranker).found, config))

    theirs = mine_hard_negatives(
        given, Theirs(), corpus=corpus, cross_encoder=reranker, output_format=form,  # type: ignore[arg-type]
        output_scores=scores, verbose=False, **settings,
    )  # fmt: skip
    assert len(found) > 5
    assert [texts_of(row) for row in found] == [texts_of(row) for row in theirs]
    assert numbers_of(found) == pytest.approx(numbers_of(theirs), abs=1e-5)


def texts_of(row: dict[str, Any]) -> list[Any]:
    """In the columns' order; two of them are called otherwise there."""
    return [value for value in row.values() if texts_in(value)]


def texts_in(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and isinstance(value[0], str))


def numbers_of(found: Any) -> list[float]:
    values = [value for row in found for value in row.values() if not texts_in(value)]
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def test_random_negatives_are_candidates_and_depend_on_the_seed_alone(
    pairs: Pairs, corpus: list[str]
) -> None:
    everything = MiningConfig(num_negatives=20, range_max=20)
    candidates = [set(one.negatives) for one in mine(pairs, Bag(), everything, corpus).found]

    def drawn(seed: int) -> list[Mined]:
        config = MiningConfig(sampling="random", seed=seed, range_max=20)
        return mine(pairs, Bag(), config, corpus).found

    first = drawn(0)
    assert first == drawn(0) != drawn(1)
    for one, among in zip(first, candidates, strict=True):
        assert len(one.negatives) == 3
        assert set(one.negatives) <= among
        assert list(one.negative_scores) == sorted(one.negative_scores, reverse=True)


def test_duplicates_of_a_positive_and_the_anchor_itself_are_no_negatives() -> None:
    nearly = "down a well ALICE fell"  # the same words, so the same vector
    corpus = [nearly, "who fell", "who stood", "Alice fell down a hill"]
    config = MiningConfig(num_negatives=9)

    mining = mine(ALICE, Bag(), config, corpus)

    negatives = mining.found[0].negatives
    assert set(negatives) == {corpus[2], corpus[3], ALICE[1][1], ALICE[2][1]}
    assert mining.left_out == {"duplicates of a positive": 1}
    kept = mine(ALICE, Bag(), config.model_copy(update={"duplicates": None}), corpus).found[0]
    assert nearly in kept.negatives


def test_every_positive_of_an_anchor_is_none_of_its_negatives() -> None:
    pairs = [*ALICE, ("who fell", "the well was deep"), ALICE[0]]

    first, *_ = mine(pairs, Bag(), MiningConfig(duplicates=None)).found

    assert first.positives == ("Alice fell down a well", "the well was deep")
    assert set(first.negatives) == {"the rabbit was late", "the cat smiled"}


def test_a_reranker_orders_the_candidates_and_is_asked_once_an_anchor(
    pairs: Pairs, corpus: list[str]
) -> None:
    reranker = Overlap()

    found = mine(pairs, Bag(), MiningConfig(duplicates=None), corpus, reranker).found

    assert reranker.asked == [one.anchor for one in found]
    for one in found:
        assert one.negative_scores == tuple(reranker.of(one.anchor, t) for t in one.negatives)
        assert list(one.negative_scores) == sorted(one.negative_scores, reverse=True)


def test_an_anchor_without_enough_negatives_gives_what_there_is() -> None:
    config = MiningConfig(num_negatives=3, duplicates=None)
    found = mine(ALICE, Bag(), config).found

    assert [len(one.negatives) for one in found] == [2, 2, 2]
    assert len(list(rows(found, config))) == 6
    assert list(rows(found, config.model_copy(update={"format": "n-tuple"}))) == []
    labelled = list(rows(found, config.model_copy(update={"format": "labeled-list"})))
    assert labelled[0]["labels"] == [1, 0, 0]


@dataclass
class Faulty(Bag):
    """Makes one vector that is not finite."""

    def encode_document(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = super().encode_document(texts)
        vectors[1, 0] = np.nan
        return vectors


class Silent:
    """A reranker that gives no number."""

    def rank(self, _query: str, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.full(len(texts), np.nan)


@pytest.mark.parametrize(
    ("pairs", "given", "message"),
    [
        ([], {}, "no pair of an anchor and its positive"),
        ([("a", " ")], {}, "pair 1: its positive is blank"),
        ([("a", "b"), ("", "c")], {}, "pair 2: its anchor is blank"),
        ([("a", "b"), ("c", "c")], {}, "pair 2: anchor and positive are the same text"),
        (ALICE, {"corpus": ["fine", "\t"]}, "text 2 of the corpus: is blank"),
        (ALICE[:1], {}, "no text is left as a negative for any of 1 anchors, out of 1 texts"),
        (
            ALICE,
            {"config": MiningConfig(min_score=5.0)},
            r"any of 3 anchors, out of 3 texts \(.*6 below min_score\). Give more",
        ),
        (ALICE, {"embedder": Faulty("broken")}, "broken: row 1, from 0, holds NaN or infinity"),
        (ALICE, {"reranker": Silent()}, "the reranker gave scores of shape .* 3 are not finite"),
    ],
    ids=[
        "none",
        "blank",
        "blank anchor",
        "same",
        "blank corpus",
        "alone",
        "all",
        "NaN",
        "reranker",
    ],
)
def test_what_cannot_be_mined_is_refused(pairs: Pairs, given: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        mine(pairs, **{"embedder": Bag(), **given})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_negatives": 0}, "num_negatives"),
        ({"range_min": -1}, "range_min"),
        ({"range_min": 8, "range_max": 10}, "range_max 10 and range_min 8 leave 2 candidates"),
        ({"min_score": 0.5, "max_score": 0.4}, "min_score 0.5: expected at most max_score 0.4"),
        ({"relative_margin": -0.1}, "relative_margin"),
        ({"format": "quadruplet"}, "format"),
        ({"duplicates": 1.5}, "duplicates"),
    ],
    ids=str,
)
def test_settings_that_cannot_mean_anything_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        MiningConfig(**settings)
