"""What an index does with documents and queries, good and bad."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from tests.search.embedders import Bag

from unmask.errors import DataError, UsageError
from unmask.search.chunking import passages_of
from unmask.search.config import IndexConfig, SearchConfig
from unmask.search.documents import Document
from unmask.search.index import Index

Make = Callable[..., Any]


class Longest:
    """Likes long texts."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def rank(self, query: str, texts: Sequence[str]) -> np.ndarray:
        self.asked.append((query, len(texts)))
        return np.asarray([len(text) for text in texts], dtype=np.float32)


class Broken:
    """Gives these scores whatever it is asked."""

    def __init__(self, scores: Sequence[float]) -> None:
        self.scores = scores

    def rank(self, _query: str, _texts: Sequence[str]) -> np.ndarray:
        return np.asarray(self.scores)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (Document("a", ""), "document 'a': its text is empty"),
        (Document("a", " \n\t"), "document 'a': its text is white space alone"),
        (Document("", "Bark."), "a document has an empty id"),
        (Document("a", "Bark \ud800."), "document 'a': holds the lone surrogate U\\+D800"),
        (Document("a", "Bark \0."), "document 'a': holds a NUL character"),
        (Document("a", "Bark.", metadata={"x": float("nan")}), "metadata field `x` is nan"),
        (Document("a", "Bark.", metadata={"x": {"y": ["z\0"]}}), "metadata field `x` holds a NUL"),
        (Document("a", "Bark.", metadata={"x": {1, 2}}), "metadata field `x` is a set"),
        (Document("a", "Bark.", metadata={"": 1}), "metadata field ''; expected a name"),
    ],
)
def test_a_document_that_cannot_be_kept_is_refused_by_name(
    document: Document, message: str, make_index: Make
) -> None:
    index = make_index([Document("there", "Fest.")])

    with pytest.raises(DataError, match=message):
        index.add([Document("good", "Mun."), document])

    assert index.count().documents == 1


def test_a_name_that_comes_twice_is_refused(make_index: Make) -> None:
    index = make_index([])

    with pytest.raises(DataError, match="document 'a': comes twice"):
        index.add([Document("a", "Bark."), Document("b", "Fest."), Document("a", "Mun.")])


def test_what_was_committed_before_a_mistake_stays(make_index: Make, make_documents: Make) -> None:
    index = make_index([], commit_passages=1)
    documents = [*make_documents(600), Document("bad", "")]

    with pytest.raises(DataError, match="document 'bad'"):
        index.add(documents)

    assert index.count().documents == 512
    assert index.add(documents[:-1]).unchanged == 512


def test_one_million_characters_are_cut_and_found(
    make_index: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence = "Lorem ipsum dolor sit amet. "
    text = sentence * (1_000_000 // len(sentence)) + "The last one speaks of sharks."
    index = make_index([])
    monkeypatch.setattr(index.embedder, "max_length", 256)
    index.add([Document("long", text)])

    hit = index.search("sharks", SearchConfig(by="words"))[0]

    assert hit.text == text[hit.start : hit.end]
    assert hit.end == len(text)
    assert index.count().passages > 800


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (np.full((1, 32), np.nan, np.float32), "the vector of text 1 of 1 is not finite"),
        (np.ones((1, 16), np.float32), r"made vectors of shape \(1, 16\), expected \(1, 32\)"),
        (np.ones((2, 32), np.float32), r"made vectors of shape \(2, 32\), expected \(1, 32\)"),
    ],
)
def test_vectors_that_cannot_be_are_refused(
    made: np.ndarray, message: str, make_index: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make_index([Document("a", "Bark.")])
    monkeypatch.setattr(index.embedder, "encode_document", lambda _: made)

    with pytest.raises(DataError, match=message):
        index.add([Document("b", "Fest.")])
    monkeypatch.undo()
    monkeypatch.setattr(index.embedder, "encode_query", lambda _: made)
    with pytest.raises(DataError, match=message):
        index.search("bark")


@pytest.mark.parametrize(
    ("query", "message"),
    [("", "query 2: is empty"), (" \n", "query 2: is white space alone")],
)
def test_a_blank_query_is_refused(query: str, message: str, make_index: Make) -> None:
    index = make_index([Document("a", "Bark.")])

    with pytest.raises(UsageError, match=message):
        index.search_many(["bark", query])


@pytest.mark.parametrize("by", ["vectors", "hybrid"])
def test_a_query_longer_than_the_model_is_cut_and_told_of(
    by: str, make_index: Make, caplog: pytest.LogCaptureFixture
) -> None:
    index = make_index([Document("a", "Bark."), Document("b", "Fest.")])
    query = "bark " * 24 + "fest " * 200_000  # a million characters

    with caplog.at_level(logging.WARNING):
        hits = index.search(query, SearchConfig(by=by))

    assert max(hits, key=lambda hit: hit.scores["vectors"]).document == "a"
    (told,) = caplog.messages
    assert "has 200024 tokens, and bag reads 24: its vector says nothing of what comes" in told
    assert "after character 119 " in told


def test_words_are_searched_for_however_long_the_query(
    make_index: Make, caplog: pytest.LogCaptureFixture
) -> None:
    index = make_index([Document("a", "Bark."), Document("b", "Fest.")])

    hits = index.search("bark " * 24 + "fest " * 200_000, SearchConfig(by="words"))

    assert [hit.document for hit in hits] == ["b", "a"]
    assert caplog.messages == []


def test_a_query_that_fits_is_not_told_of(
    make_index: Make, caplog: pytest.LogCaptureFixture
) -> None:
    make_index([Document("a", "Bark.")]).search("bark " * 24)

    assert caplog.messages == []


def test_a_lone_surrogate_in_a_query_does_no_harm(make_index: Make) -> None:
    index = make_index([Document("a", "Bark.")])

    assert index.search("bark \ud800", SearchConfig(by="hybrid"))[0].document == "a"


def test_both_ranks_are_fused(make_documents: Make, make_index: Make) -> None:
    index = make_index(make_documents(40))
    query = "bark fest"

    hits = index.search(query, SearchConfig(by="hybrid", top_k=20, rrf_k=10, depth=30))

    ranks = {}
    for by in ("vectors", "words"):
        found = index.search(query, SearchConfig(by=by, top_k=30))
        ranks[by] = {(hit.document, hit.start): rank for rank, hit in enumerate(found, 1)}
    for hit in hits:
        own = [
            of[hit.document, hit.start] for of in ranks.values() if (hit.document, hit.start) in of
        ]
        assert hit.score == pytest.approx(sum(1 / (10 + rank) for rank in own), abs=1e-9)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_each_document_once_and_as_many_as_there_are(
    make_documents: Make, make_index: Make
) -> None:
    documents = [*make_documents(12), Document("long", "Bark fest mun. " * 300)]
    index = make_index(documents)

    for by in ("vectors", "hybrid"):
        hits = index.search("bark fest mun", SearchConfig(by=by, top_k=13, documents=True))
        assert len(hits) == 13
        assert {hit.document for hit in hits} == {one.id for one in documents}
    best = index.search("bark fest mun", SearchConfig(top_k=1))[0]
    once = index.search("bark fest mun", SearchConfig(top_k=2, documents=True))
    assert (once[0].document, once[0].score) == (best.document, pytest.approx(best.score))


def test_a_reranker_orders_the_best_again(make_documents: Make, make_index: Make) -> None:
    index, reranker = make_index(make_documents(40)), Longest()

    hits = index.search("bark", SearchConfig(top_k=5, depth=30), reranker)

    first = index.search("bark", SearchConfig(top_k=30))
    lengths = sorted((len(f"{hit.title} {hit.text}".strip()) for hit in first), reverse=True)
    assert [hit.score for hit in hits] == lengths[:5]
    assert all(hit.scores.keys() == {"vectors", "reranker"} for hit in hits)
    assert reranker.asked == [("bark", 30)]


def test_all_that_is_shown_is_ranked_again(make_documents: Make, make_index: Make) -> None:
    index, reranker = make_index(make_documents(40)), Longest()

    hits = index.search("bark", SearchConfig(top_k=20, depth=5), reranker)

    assert len(hits) == 20
    assert reranker.asked == [("bark", 20)]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_query_is_cut_where_the_model_stops_to_read_queries(
    make_index: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    index = make_index([Document("a", "Bark.")])
    asked: list[str] = []
    make = index.embedder.encode_query
    monkeypatch.setattr(
        index.embedder, "encode_query", lambda texts: asked.extend(texts) or make(texts)
    )
    monkeypatch.setattr(Bag, "max_query_length", 3)

    index.search("one two three four")

    assert asked == ["one two three"]
    assert "has 4 tokens, and bag reads 3" in caplog.text


def test_passages_longer_than_the_model_are_told_of(
    make_index: Make, caplog: pytest.LogCaptureFixture
) -> None:
    make_index([], chunk={"max_tokens": 24})
    assert caplog.text == ""

    make_index([], chunk={"max_tokens": 25})
    assert "--chunk.max-tokens 25: bag reads 24 tokens" in caplog.text


@pytest.mark.parametrize("scores", [[1.0], [np.nan, 1.0], [[1.0, 2.0]]])
def test_a_reranker_that_gives_no_score_for_each_is_refused(
    scores: list[float], make_index: Make
) -> None:
    index = make_index([Document("a", "Bark."), Document("b", "Fest.")])

    with pytest.raises(DataError, match="expected 2 finite numbers"):
        index.search("bark", reranker=Broken(scores))


def test_dot_products_keep_the_lengths_of_vectors(make_index: Make, bag: Bag) -> None:
    make = bag.encode_document
    bag.encode_document = lambda texts: 3 * make(texts)  # type: ignore[method-assign]
    document = [Document("a", "Bark fest.")]

    by_dot = make_index(document, similarity="dot").search("bark fest.")[0].score
    by_cosine = make_index(document).search("bark fest.")[0].score

    assert by_dot == pytest.approx(9.0, abs=1e-4)
    assert by_cosine == pytest.approx(1.0, abs=1e-5)


def test_a_vector_of_zeros_is_found_last(make_index: Make, bag: Bag) -> None:
    make = bag.encode_document
    bag.encode_document = (  # type: ignore[method-assign]
        lambda texts: make(texts) * np.asarray([["zero" not in text] for text in texts])
    )
    index = make_index([Document("a", "zero"), Document("b", "Bark.")])

    assert [(hit.document, hit.score) for hit in index.search("bark.")][1] == ("a", 0.0)


def test_progress_is_told_after_each_batch_and_commit(
    make_documents: Make, make_index: Make
) -> None:
    index = make_index([], commit_passages=2000)
    told: list[tuple[int, int, int]] = []

    added = index.add(
        make_documents(1100),
        lambda kept, waiting: told.append((kept.added, kept.passages, waiting)),
    )

    whole = index.count().passages
    assert (added.added, added.passages) == (1100, whole)
    kept = [documents for documents, _, _ in told]
    assert kept[0] == 0 < kept[1] == kept[2] < kept[-1] == 1100
    assert [passages > 0 for _, passages, _ in told] == [False, True, True, True, True]
    assert [waiting > 0 for _, _, waiting in told] == [True, False, True, True, False]
    assert told[-1] == (1100, whole, 0)


def test_a_kill_loses_no_more_than_was_to_be_kept_and_one_document(
    make_documents: Make, make_index: Make
) -> None:
    documents = make_documents(100)
    index = make_index([], commit_passages=10)
    most = max(len(passages_of(one, index.embedder, IndexConfig().chunk)) for one in documents)
    kept: list[int] = []

    index.add(documents, lambda now, _: kept.append(now.passages))

    assert max(np.diff([0, *kept])) < 10 + most


def test_the_title_is_read_with_every_passage(make_index: Make) -> None:
    text = "Mun dan. " * 30
    index = make_index([Document("a", text, "Bark"), Document("b", text, "Fest")])

    for by in ("vectors", "words"):
        hits = index.search("bark", SearchConfig(by=by, top_k=3))
        assert {hit.document for hit in hits} == {"a"}


def test_a_changed_title_or_metadata_is_another_content(make_index: Make) -> None:
    index = make_index([Document("a", "Bark.", "T", {"x": 1})])

    assert index.add([Document("a", "Bark.", "T", {"x": 1})]).unchanged == 1
    assert index.add([Document("a", "Bark.", "U", {"x": 1})]).replaced == 1
    assert index.add([Document("a", "Bark.", "U", {"x": 2})]).replaced == 1
    assert Index.search(index, "bark")[0].metadata == {"x": 2}
