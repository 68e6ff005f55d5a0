"""BEIR's files are read one record after another."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unmask.data.rejects import Rejects
from unmask.data.retrieval import beir
from unmask.data.retrieval.config import RetrievalConfig
from unmask.data.retrieval.matching import gather_qrels
from unmask.data.retrieval.records import CorpusDocument, Query
from unmask.errors import DataError

Write = Callable[[str, bytes | str], Path]
Read = Callable[..., tuple[list[Any], Rejects]]

HEADER = "query-id\tcorpus-id\tscore\n"


def lines(*records: Any) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


def test_a_corpus_has_ids_titles_texts_and_metadata(write: Write, read: Read) -> None:
    content = lines(
        {"_id": "a", "title": "On wings", "text": "Lift.", "metadata": {"year": 1958}},
        {"_id": 7, "text": "No title."},
        {"_id": "c", "title": None, "text": "A null for a title."},
    )
    path = write("corpus.jsonl", "\n" + content)
    found, rejects = read(beir.read_corpus, path)
    assert found == [
        CorpusDocument("a", "On wings", "Lift.", f"{path}:2", {"year": 1958}),
        CorpusDocument("7", "", "No title.", f"{path}:3"),
        CorpusDocument("c", "", "A null for a title.", f"{path}:4"),
    ]
    assert [document.content for document in found[:2]] == ["On wings Lift.", "No title."]
    assert (rejects.num_records, len(rejects)) == (3, 0)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_queries_are_read_whatever_compresses_them(write: Write, read: Read, ending: str) -> None:
    content = lines({"_id": "q", "text": "Does it fly?"}).encode()
    path = write(f"queries.jsonl{ending}", gzip.compress(content) if ending else content)
    found, _ = read(beir.read_queries, path)
    assert found == [Query("q", "Does it fly?", f"{path}:1")]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ('{"_id": "b", "text": "cut', "broken JSON"),
        ('["b"]', "not a JSON object: list"),
        ('{"text": "nameless"}', "no field `_id`: found text"),
        ('{"_id": " ", "text": "x"}', "field `_id` is no name: ' '"),
        ('{"_id": true, "text": "x"}', "field `_id` is no name: True"),
        ('{"_id": "b", "body": "x"}', "no field `text`: found _id, body"),
        ('{"_id": "b", "text": ["x"]}', "field `text` is no text: list"),
        ('{"_id": "b", "title": 1, "text": "x"}', "field `title` is no text: int"),
        ('{"_id": "a", "text": "again"}', "duplicate id: `a` stands in line 1"),
        ('{"_id": "b", "text": "\\ud800"}', "lone surrogate"),
    ],
)
def test_a_bad_record_is_rejected_with_its_line_and_reason(
    write: Write, read: Read, record: str, reason: str
) -> None:
    content = f"{lines({'_id': 'a', 'text': 'x'})}{record}\n{lines({'_id': 'z', 'text': 'y'})}"
    path = write("corpus.jsonl", content)
    found, rejects = read(beir.read_corpus, path)
    assert [document.id for document in found] == ["a", "z"]
    assert rejects.num_records == 3
    (reject,) = rejects.first
    assert reject.place == f"{path}:2"
    assert reject.reason.startswith(reason)
    assert reject.excerpt


def test_documents_without_text_stay_and_are_counted(
    write: Write, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    content = lines({"_id": "a", "text": ""}, {"_id": "b", "title": "T", "text": None})
    found, rejects = read(beir.read_corpus, write("corpus.jsonl", content))
    assert [document.id for document in found] == ["a", "b"]
    assert rejects.notes == {"have no text": 1}
    assert "corpus.jsonl: 1 documents have no text" in caplog.text


def test_judgements_have_their_lines(write: Write, read: Read) -> None:
    path = write("test.tsv", f"{HEADER}q1\td 1\t1\r\n\nq1\td2\t-1\nq2\td2\t2.0\n")
    found, rejects = read(beir.read_qrels, path)
    assert [one.place for one in found] == [f"{path}:{line}" for line in (2, 4, 5)]
    qrels = gather_qrels(found, rejects)
    assert qrels == {"q1": {"d 1": 1, "d2": -1}, "q2": {"d2": 2}}
    assert (rejects.num_records, len(rejects)) == (3, 0)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("q1\td9", "missing field: 2 fields, expected 3: query-id corpus-id score"),
        ("q1\td9\t1\t0", "extra field: 4 fields"),
        ("q1\t \t1", "empty corpus-id"),
        ("q1\td9\tNaN", "score is no whole number: `NaN`"),
        ("q1\td9\t0.5", "score is no whole number: `0.5`"),
        ("q1\td9\t1000000000000", "score is no whole number"),
        ("q1\td1\t0", "duplicate judgement: query `q1`, document `d1`"),
    ],
)
def test_a_bad_judgement_is_rejected(write: Write, read: Read, line: str, reason: str) -> None:
    path = write("test.tsv", f"{HEADER}q1\td1\t1\n{line}\nq2\td2\t1\n")
    found, rejects = read(beir.read_qrels, path)
    assert gather_qrels(found, rejects) == {"q1": {"d1": 1}, "q2": {"d2": 1}}
    (reject,) = rejects.first
    assert (reject.place, rejects.num_records) == (f"{path}:3", 3)
    assert reject.reason.startswith(reason)


def test_judgements_without_a_header_are_refused(write: Write, read: Read) -> None:
    path = write("test.tsv", "q1\td1\t1\n")
    with pytest.raises(DataError, match=r"test.tsv:1: the header is missing: found 'q1\\td1\\t1'"):
        read(beir.read_qrels, path)


def test_files_that_hold_nothing_are_refused(write: Write, read: Read) -> None:
    for content in ("", "\n \n"):
        with pytest.raises(DataError, match=r"corpus.jsonl: holds no documents\. Expected"):
            read(beir.read_corpus, write("corpus.jsonl", content))
        with pytest.raises(DataError, match=r"queries.jsonl: holds no queries\. Expected"):
            read(beir.read_queries, write("queries.jsonl", content))
        with pytest.raises(DataError, match=r"test.tsv: holds no judgements\. Expected"):
            read(beir.read_qrels, write("test.tsv", content))
    with pytest.raises(DataError, match=r"test.tsv: holds no judgements\. Expected"):
        read(beir.read_qrels, write("test.tsv", HEADER))
    with pytest.raises(DataError, match=r"holds no documents; .*corpus.jsonl:1: broken JSON"):
        read(beir.read_corpus, write("corpus.jsonl", "{"))
    with pytest.raises(DataError, match=r"absent.jsonl: no such file"):
        read(beir.read_corpus, Path("absent.jsonl"))
    with pytest.raises(DataError, match="is a folder; expected a file"):
        read(beir.read_corpus, write("corpus.jsonl", "").parent)


def test_too_many_bad_records_stop_the_reading(write: Write, read: Read) -> None:
    good = lines(*({"_id": str(i), "text": "x"} for i in range(50)))
    path = write("corpus.jsonl", good + "broken\n" * 10)
    with pytest.raises(DataError, match=r"10 of 60 records cannot be read \(10 broken JSON\)"):
        read(beir.read_corpus, path)
    assert len(read(beir.read_corpus, path, max_reject_rate=0.5)[0]) == 50
    repeated = write("test.tsv", HEADER + "q\td\t1\n" * 20)
    found, rejects = read(beir.read_qrels, repeated)
    with pytest.raises(DataError, match="19 of 20 records cannot be read"):
        gather_qrels(found, rejects)


def test_a_file_that_breaks_off_is_not_taken_for_the_whole(write: Write, read: Read) -> None:
    content = lines(*({"_id": str(i), "text": f"text {i * i}"} for i in range(500)))
    path = write("corpus.jsonl.gz", gzip.compress(content.encode())[:-200])
    with pytest.raises(DataError, match="broken file: the compressed file ends too early"):
        read(beir.read_corpus, path)


def test_a_large_corpus_streams_by(tmp_path: Path) -> None:
    number = 70_000
    path = tmp_path / "corpus.jsonl"
    with path.open("w") as file:
        for i in range(number):
            file.write(f'{{"_id": "document-{i}", "text": "{"word " * 90}"}}\n')
    tracemalloc.start()
    documents = beir.read_corpus(path, RetrievalConfig(), Rejects(0.001))
    assert sum(1 for _ in documents) == number
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size > 33e6
    # 10 MB for the last ids, some pieces of 1 MiB; a million documents grow a process by 42 MB.
    assert peak < 16e6


def test_the_parts_of_a_folder_are_found(write: Write, tmp_path: Path) -> None:
    for name in ("corpus.jsonl.gz", "queries.jsonl", "qrels/test.tsv"):
        write(f"set/{name}", "x")
    found = beir.find(tmp_path / "set", "test")
    assert found.corpus.name == "corpus.jsonl.gz"
    assert found.qrels == tmp_path / "set" / "qrels" / "test.tsv"
    with pytest.raises(DataError, match=r"qrels: holds no dev.tsv .*; found test.tsv. Expected"):
        beir.find(tmp_path / "set", "dev")
    with pytest.raises(DataError, match=r"holds no corpus.jsonl .*; found nothing"):
        beir.find(tmp_path / "elsewhere", "test")
