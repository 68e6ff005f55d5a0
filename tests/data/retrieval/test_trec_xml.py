"""TREC's XML is read element by element: what is malformed in one does not end the file."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.data.rejects import Rejects
from unmask.data.retrieval import trec_xml
from unmask.data.retrieval.config import RetrievalConfig
from unmask.data.retrieval.records import CorpusDocument, Query
from unmask.errors import DataError

Write = Callable[[str, bytes | str], Path]
Read = Callable[..., tuple[list[Any], Rejects]]

QUIET = settings(deadline=None, derandomize=True, max_examples=60)


def doc(name: str, inside: str = "<title>t</title><text>x</text>") -> str:
    return f"<doc>\n<docno>{name}</docno>\n{inside}\n</doc>\n"


def top(name: str, inside: str = "<title>\nwhat ?\n</title>") -> str:
    return f"<top>\n<num> {name}</num> \n{inside}\n</top>\n"


def test_documents_need_no_root(write: Write, read: Read) -> None:
    inside = "<title>on a\nwing .</title><author>a,b.</author><text>lift &lt; drag .</text>"
    path = write("docs.xml", doc("1", inside) + doc(" 2 "))
    found, rejects = read(trec_xml.read_documents, path)
    assert found == [
        CorpusDocument("1", "on a\nwing .", "lift < drag .", f"{path}:1", {"author": "a,b."}),
        CorpusDocument("2", "t", "x", f"{path}:6"),
    ]
    assert (rejects.num_records, len(rejects)) == (2, 0)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_topics_may_have_a_root_and_any_line_ends(write: Write, read: Read, ending: str) -> None:
    content = f"<?xml version='1.0' encoding='utf-8'?>\n<xml>\n{top('1')}{top('4')}</xml>"
    data = content.replace("\n", "\r\n").encode()
    path = write(f"topics.xml{ending}", gzip.compress(data) if ending else data)
    found, rejects = read(trec_xml.read_topics, path)
    assert found == [Query("1", "what ?", f"{path}:3"), Query("4", "what ?", f"{path}:9")]
    assert len(rejects) == 0


def test_tags_may_be_in_capitals_and_numbers_labelled(write: Write, read: Read) -> None:
    content = "<TOP><NUM>Number: 301</NUM><TITLE>international crime</TITLE></TOP>"
    found, _ = read(trec_xml.read_topics, write("topics.xml", content))
    assert [(query.id, query.text) for query in found] == [("301", "international crime")]


def test_topics_can_be_named_by_their_position(write: Write, read: Read) -> None:
    path = write("topics.xml", top("1") + top("4", "<title>a & b</title>") + top("365"))
    by_own, _ = read(trec_xml.read_topics, path)
    assert [query.id for query in by_own] == ["1", "365"]
    by_position, rejects = read(trec_xml.read_topics, path, query_ids="position")
    assert [query.id for query in by_position] == ["1", "3"]
    assert len(rejects) == 1


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (doc("2", "<text>a & b</text>"), 7, "malformed XML: not well-formed (invalid token)"),
        (doc("2", "<text>\n<b>a</text>"), 8, "malformed XML: mismatched tag at column"),
        (doc("2", "<text>a &nbsp; b</text>"), 7, "malformed XML: undefined entity"),
        (doc("2", "\x01"), 7, "malformed XML"),
        (doc("2", "<text>a\rb\rc & d</text>"), 7, "malformed XML: not well-formed"),
        (doc("2", "<text>a\r\nb\r\rc & d</text>"), 8, "malformed XML: not well-formed"),
        (doc("2", "<!DOCTYPE d []>"), 7, "malformed XML"),
        ("<doc>\n<text>x</text></doc>\n", 5, "no <docno>: found <text>"),
        (doc(" "), 5, "<docno> is empty"),
        (doc("1"), 5, "duplicate id: `1` stands in line 1"),
        (doc("2", "<body>x</body>"), 5, "neither <title> nor <text>: found <body>"),
        ("<doc>\n<docno>2</docno>\n", 5, "<doc> is not closed: the next one begins in line 7"),
        ("\n</doc>\n", 6, "</doc> without <doc>"),
        ("<x>\n\nloose text </x>\n", 7, "text outside of <doc>"),
        ('<!DOCTYPE d [<!ENTITY a "b">]>\n', 5, "text outside of <doc>"),
    ],
)
def test_what_is_malformed_is_rejected_and_reading_goes_on(
    write: Write, read: Read, content: str, line: int, reason: str
) -> None:
    path = write("docs.xml", doc("1") + content + doc("3"))
    found, rejects = read(trec_xml.read_documents, path)
    assert [document.id for document in found] == ["1", "3"]
    (reject,) = rejects.first
    assert reject.place == f"{path}:{line}"
    assert reject.reason.startswith(reason)
    assert rejects.num_records == 3


def test_bytes_that_are_no_text_are_rejected(write: Write, read: Read) -> None:
    content = doc("1").encode() + doc("2", "<text>caf\xe9</text>").encode("latin-1")
    path = write("docs.xml", content)
    found, rejects = read(trec_xml.read_documents, path)
    assert [document.id for document in found] == ["1"]
    assert (rejects.first[0].place, rejects.reasons) == (f"{path}:7", {"not UTF-8": 1})


def test_a_file_that_ends_inside_a_document_is_refused(write: Write, read: Read) -> None:
    path = write("docs.xml", doc("1") + "<doc><docno>2</docno><text>cut")
    message = "docs.xml: broken file: <doc> in line 5 is not closed, after 1 records"
    with pytest.raises(DataError, match=message):
        read(trec_xml.read_documents, path)


def test_a_document_may_be_too_long(write: Write, read: Read) -> None:
    long = doc("2", "<text>" + "word\n" * 1000 + "</text>")
    path = write("docs.xml", doc("1") + long + doc("3"))
    found, rejects = read(trec_xml.read_documents, path, max_line_bytes=2000)
    assert [document.id for document in found] == ["1", "3"]
    assert rejects.first[0].place == f"{path}:5"
    assert rejects.first[0].reason.startswith("<doc> too long: 50")


def test_deep_nesting_does_no_harm(write: Write, read: Read) -> None:
    deep = "<a>" * 100_000 + "x" + "</a>" * 100_000
    found, _ = read(trec_xml.read_documents, write("docs.xml", doc("1", f"<text>{deep}</text>")))
    assert found[0].text == "x"


def test_documents_without_text_stay_and_are_counted(
    write: Write, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    path = write("docs.xml", doc("1", "<title>\n</title><text></text>"))
    found, rejects = read(trec_xml.read_documents, path)
    assert (found[0].id, found[0].content, rejects.notes) == ("1", "", {"have no text": 1})
    assert "docs.xml: 1 documents have no text" in caplog.text


def test_files_that_hold_nothing_are_refused(write: Write, read: Read) -> None:
    with pytest.raises(DataError, match=r"docs.xml: holds no documents\. Expected at least one"):
        read(trec_xml.read_documents, write("docs.xml", ""))
    with pytest.raises(DataError, match=r"topics.xml: holds no queries\. Expected"):
        read(trec_xml.read_topics, write("topics.xml", "<xml>\n</xml>\n"))
    with pytest.raises(
        DataError, match=r"topics.xml: holds no queries; .*:1: text outside of <top>"
    ):
        read(trec_xml.read_topics, write("topics.xml", "1 Q0 a 1 0.5 run\n"))


def test_too_many_malformed_documents_stop_the_reading(write: Write, read: Read) -> None:
    content = doc("1") + "".join(doc(f"{i}", "&") for i in range(2, 12))
    path = write("docs.xml", content)
    with pytest.raises(DataError, match=r"10 of 11 records cannot be read \(10 malformed XML\)"):
        read(trec_xml.read_documents, path)


def test_a_large_file_streams_by(tmp_path: Path) -> None:
    path = tmp_path / "docs.xml"
    number = 20_000
    with path.open("w") as file:
        for i in range(number):
            file.write(doc(str(i), f"<text>{'word ' * 100}</text>"))
    tracemalloc.start()
    documents = trec_xml.read_documents(path, RetrievalConfig(), Rejects(0.001))
    assert sum(1 for _ in documents) == number
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size > 10e6
    assert peak < 8e6  # a piece of 1 MiB a few times over, and the ids' hashes


@QUIET
@given(st.lists(st.sampled_from(["<doc>", "</doc>", "<docno>1</docno>", "\n", "x", "<", "<x>"])))
def test_any_order_of_tags_ends_in_records_or_one_message(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("any") / "docs.xml"
    path.write_text("".join(parts))
    rejects = Rejects(1.0)
    found: list[CorpusDocument] = []
    message = ""
    try:
        found.extend(trec_xml.read_documents(path, RetrievalConfig(), rejects))
    except DataError as error:
        message = str(error)
    assert found or "docs.xml" in message
    assert len(found) + len(rejects) == rejects.num_records
