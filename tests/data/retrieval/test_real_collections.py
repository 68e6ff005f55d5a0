"""The published collections are read whole, by their documented numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unmask.data.rejects import Rejects
from unmask.data.retrieval import beir, cranfield, trec, trec_xml
from unmask.data.retrieval.collection import Collection, open_beir, open_cranfield
from unmask.data.retrieval.config import RetrievalConfig
from unmask.data.retrieval.matching import check_queries, gather_qrels
from unmask.errors import DataError
from unmask.tasks.metrics import retrieval

Real = Callable[[str], Path]
Read = Callable[..., tuple[list[Any], Rejects]]


def num_judgements(collection: Collection) -> int:
    return sum(map(len, collection.qrels.values()))


def test_scifact_is_read_whole(real: Real, read: Read) -> None:
    folder = real("scifact")
    rejects = Rejects(0)
    test = open_beir(folder, "test", RetrievalConfig(), rejects)
    assert (len(test.queries), num_judgements(test)) == (300, 339)
    train = open_beir(folder, "train", RetrievalConfig(), rejects)
    assert (len(train.queries), num_judgements(train)) == (809, 919)
    found = list(test.read(rejects))
    assert len({document.id for document in found}) == len(found) == 5183
    assert all(document.title and document.text for document in found)
    assert len(read(beir.read_queries, folder / "queries.jsonl")[0]) == 1109
    assert len(rejects) == 0


def test_cranfield_is_read_whole(real: Real) -> None:
    rejects = Rejects(0)
    found = open_cranfield(real("cranfield"), RetrievalConfig(), rejects)
    assert list(found.queries) == [str(i) for i in range(1, 226)]
    assert num_judgements(found) == 1837
    assert Counter(r for judged in found.qrels.values() for r in judged.values()) == {
        1: 1612,
        0: 225,
    }
    documents = list(found.read(rejects))
    assert [document.id for document in documents] == [str(i) for i in range(1, 1401)]
    assert [document.id for document in documents if not document.content] == ["471", "995"]
    assert documents[0].metadata["author"] == "brenckman,m."
    assert len(rejects) == 0
    begins = sum(document.text.startswith(document.title) for document in documents)
    assert begins == 1398


def test_cranfields_codes_are_turned_to_count_up(real: Real, read: Read) -> None:
    folder = real("cranfield")
    found = open_cranfield(folder, RetrievalConfig(), Rejects(0), is_graded=True)
    grades = Counter(r for judged in found.qrels.values() for r in judged.values())
    assert grades == {4: 128, 3: 387, 2: 734, 1: 363, 0: 225}
    folded = gather_qrels(*read(trec.read_qrels, folder / "cranqrel.trec.txt"))
    assert {
        (query, document)
        for query, judged in found.qrels.items()
        for document, relevance in judged.items()
        if (relevance > 0) != (folded[query][document] > 0)
    } == set()
    # The one code that was left as it was.
    assert folded["40"]["85"] == 3
    assert sum(r == 3 for judged in folded.values() for r in judged.values()) == 1
    assert len(read(cranfield.read_graded, folder / "original" / "cranqrel")[0]) == 1837


def test_cranfields_own_query_numbers_do_not_fit_its_judgements(real: Real, read: Read) -> None:
    folder = real("cranfield")
    queries, _ = read(trec_xml.read_topics, folder / "cran.qry.xml")
    assert [query.id for query in queries[:4]] == ["1", "2", "4", "8"]
    judgements, _ = read(trec.read_qrels, folder / "cranqrel.trec.txt")
    names = {query.id for query in queries}
    with pytest.raises(
        DataError, match=r"cranqrel.trec.txt:\d+: .*read the queries with query_ids"
    ):
        check_queries(judgements, names)


def test_bm25_over_scifact_comes_near_the_published_figure(real: Real) -> None:
    bm25s = pytest.importorskip("bm25s", reason="the extra `search` is not installed")
    collection = open_beir(real("scifact"), "test", RetrievalConfig(), Rejects(0))
    documents = list(collection.read(Rejects(0)))
    index = bm25s.BM25()
    options = {"stopwords": "en", "show_progress": False}
    index.index(
        bm25s.tokenize([document.content for document in documents], **options), show_progress=False
    )
    asked = bm25s.tokenize(list(collection.queries.values()), **options)
    places, values = index.retrieve(asked, k=100, show_progress=False)
    run = {
        query: {documents[i].id: float(score) for i, score in zip(*found, strict=True)}
        for query, *found in zip(collection.queries, places, values, strict=True)
    }
    found = retrieval.scores(collection.qrels, run)
    # Published 0.665, with another tokenizer and other constants; 0.6617 here.
    assert found["ndcg_cut_10"] == pytest.approx(0.665, abs=0.01)
    assert found["num_q"] == 300
