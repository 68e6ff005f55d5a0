"""Judgements that name what is not there are told of, with names, number and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from unmask.data.rejects import Rejects
from unmask.data.retrieval.collection import open_beir
from unmask.data.retrieval.config import RetrievalConfig
from unmask.data.retrieval.first_lines import FirstLines
from unmask.data.retrieval.matching import check_documents, check_queries
from unmask.data.retrieval.records import CorpusDocument, Judgement
from unmask.errors import DataError

Write = Callable[[str, bytes | str], Path]


def judged(*pairs: tuple[str, str]) -> list[Judgement]:
    return [Judgement(query, document, 1, "q.tsv", i) for i, (query, document) in enumerate(pairs)]


def documents(*names: str) -> list[CorpusDocument]:
    return [CorpusDocument(name, "", "x", "") for name in names]


def test_unknown_documents_are_listed_when_the_corpus_has_come_by() -> None:
    judgements = judged(("q", "known"), *(("q", f"gone{i}") for i in range(12)), ("r", "gone0"))
    passing = check_documents(documents("known", "other"), judgements)
    assert [next(passing).id, next(passing).id] == ["known", "other"]
    with pytest.raises(DataError) as caught:
        next(passing)
    shown = ", ".join(f"`gone{i}`" for i in range(10))
    assert str(caught.value).startswith(
        f"q.tsv:1: 12 of the documents that the 14 judgements name are not there: {shown} and 2 "
        "more. Are these the corpus and the judgements of one data set"
    )
    assert len(list(check_documents(documents("known"), judgements[:1]))) == 1


def test_unknown_queries_are_listed() -> None:
    judgements = judged(("a", "d"), ("x", "d"), ("y", "d"))
    check_queries(judgements, {"a", "x", "y"})
    with pytest.raises(DataError, match=r"q.tsv:1: 2 of the queries .*: `x`, `y`\. Are these"):
        check_queries(judgements, {"a"})


def test_judgements_that_count_queries_by_position_are_known_as_such() -> None:
    own = {"1", "2", "4", "8"}
    with pytest.raises(DataError, match=r"`3`\. All judged ids lie in 1 to 4.*\"position\""):
        check_queries(judged(("1", "d"), ("3", "d"), ("4", "d")), own)


def test_a_collection_has_the_judged_queries_and_checks_its_documents(
    write: Write, tmp_path: Path
) -> None:
    write("queries.jsonl", '{"_id": "a", "text": "A"}\n{"_id": "b", "text": "B"}\n')
    write("corpus.jsonl", '{"_id": "d", "text": "D"}\n')
    write("qrels/test.tsv", "query-id\tcorpus-id\tscore\nb\td\t1\n")
    write("qrels/dev.tsv", "query-id\tcorpus-id\tscore\nb\te\t1\n")
    write("qrels/train.tsv", "query-id\tcorpus-id\tscore\nc\td\t1\n")
    config = RetrievalConfig()
    found = open_beir(tmp_path, "test", config, Rejects(0))
    assert (found.queries, found.qrels) == ({"b": "B"}, {"b": {"d": 1}})
    for _ in range(2):
        assert [document.text for document in found.read(Rejects(0))] == ["D"]
    lacking = open_beir(tmp_path, "dev", config, Rejects(0))
    with pytest.raises(DataError, match=r"dev.tsv:2: 1 of the documents .* `e`"):
        list(lacking.read(Rejects(0)))
    with pytest.raises(DataError, match=r"train.tsv:2: 1 of the queries .* `c`"):
        open_beir(tmp_path, "train", config, Rejects(0))


def test_first_lines_are_remembered_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("unmask.data.retrieval.first_lines._RECENT", 10)
    seen = FirstLines()
    assert [seen.take(f"id{i}", i) for i in range(105)] == [None] * 105
    assert [seen.take(f"id{i}", 1000) for i in range(105)] == list(range(105))
    assert seen.take("new", 7) is None
    assert seen.take("new", 8) == 7
