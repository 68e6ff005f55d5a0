"""Word scores are bm25s's own over everything that is there, however it came there."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmask.data.rejects import Rejects
from unmask.search.chunking import with_title
from unmask.search.config import ReadingConfig, SearchConfig
from unmask.search.documents import Document
from unmask.search.index import Index
from unmask.search.reading import read_documents
from unmask.search.words import stopwords_of, words_of

bm25s = pytest.importorskip("bm25s")

Make = Callable[..., Any]


def reference(
    passages: list[str], query: str, k1: float, b: float, stopwords: frozenset[str]
) -> np.ndarray:
    """bm25s's scores of all passages."""
    words = [[w for _, _, w in words_of(text) if w not in stopwords] for text in passages]
    model = bm25s.BM25(method="lucene", k1=k1, b=b)
    model.index(words, show_progress=False)
    known = set().union(*words)
    asked = [w for _, _, w in words_of(query) if w not in stopwords and w in known]
    return model.get_scores(asked) if asked else np.zeros(len(passages), np.float32)


def found(index: Index, query: str) -> dict[tuple[str, int], float]:
    config = SearchConfig(by="words", top_k=10_000)
    return {(hit.document, hit.start): hit.score for hit in index.search(query, config)}


@pytest.mark.parametrize(
    "words", [{}, {"k1": 0.9, "b": 0.4, "stopwords": "english"}], ids=["usual", "set"]
)
@pytest.mark.parametrize("commit_passages", [4096, 20], ids=["one commit", "many commits"])
def test_scores_are_those_of_bm25s_over_what_is_there(
    words: dict[str, Any], commit_passages: int, make_documents: Make, make_index: Make
) -> None:
    documents = [*make_documents(60), Document("the", "The the the marsh. And the fen.")]
    index = make_index(documents[:30], commit_passages=commit_passages, bm25=words)
    index.add(documents[30:])
    index.delete([one.id for one in documents[::7]])
    index.add([Document("d1", "Bark, fest and gun.")])

    config = index.store.about.config.bm25
    every = index.search("x", SearchConfig(top_k=10_000))
    passages = [with_title(hit.title, hit.text) for hit in every]
    for query in ("bark fest", "bark bark", "the marsh", "dan lork", "nothing here"):
        expected = reference(passages, query, config.k1, config.b, stopwords_of(config.stopwords))
        scores = {
            (hit.document, hit.start): score
            for hit, score in zip(every, expected.tolist(), strict=True)
            if score > 0
        }
        assert found(index, query) == pytest.approx(scores, abs=1e-5)


def test_a_query_without_a_word_finds_nothing(make_documents: Make, make_index: Make) -> None:
    index = make_index(make_documents(3))

    assert found(index, "...") == {}
    assert found(index, "qqq") == {}


def test_documents_without_a_word_can_be_indexed_and_put_together(make_index: Make) -> None:
    index = make_index([Document("a", "?!")])
    index.add([Document("b", "...")])

    assert found(index, "word") == {}
    assert {hit.document for hit in index.search("word")} == {"a", "b"}


def test_scifact_by_words_is_as_good_as_published(make_index: Make) -> None:
    """BEIR's table 2 (Thakur et al. 2021) has 0.665 nDCG@10 for BM25."""
    if "UNMASK_DATA" not in os.environ:
        pytest.skip("UNMASK_DATA names no folder with scifact")
    folder = Path(os.environ["UNMASK_DATA"]) / "scifact"
    index = make_index([], chunk={"by": "document"}, bm25={"stopwords": "english"})
    index.embedder.encode_document = lambda texts: np.ones((len(texts), 32), np.float32)
    index.add(read_documents(folder / "corpus.jsonl.gz", ReadingConfig(), Rejects(0.0)))
    relevant: dict[str, set[str]] = defaultdict(set)
    for line in (folder / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        query, document, _ = line.split("\t")
        relevant[query].add(document)
    lines = (folder / "queries.jsonl").read_text().splitlines()
    texts = {one["_id"]: one["text"] for one in map(json.loads, lines)}

    hits = index.search_many([texts[name] for name in relevant], SearchConfig(by="words"))

    gains = 1 / np.log2(np.arange(2, 12))
    scores = [
        sum(gain for gain, hit in zip(gains, found, strict=False) if hit.document in wanted)
        / gains[: len(wanted)].sum()
        for found, wanted in zip(hits, relevant.values(), strict=True)
    ]
    assert np.mean(scores) == pytest.approx(0.666, abs=0.002)
