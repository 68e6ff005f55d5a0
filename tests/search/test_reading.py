from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from unmask.data.labelled.files import BLANK
from unmask.data.rejects import Rejects
from unmask.errors import DataError, UsageError
from unmask.search.config import ReadingConfig
from unmask.search.documents import Document
from unmask.search.reading import read_documents

Read = Callable[..., list[Document]]
ROWS = [
    {"id": "a", "title": "Sharks", "text": "They swim.", "year": 1990, "tags": ["sea"]},
    {"id": "b", "title": "", "text": "They bark.", "year": None, "tags": []},
]


@pytest.fixture
def rejects() -> Rejects:
    return Rejects(0.5)


@pytest.fixture
def read(tmp_path: Path, rejects: Rejects) -> Read:
    """The documents of a file with that name and content."""

    def read(name: str, content: str | bytes, **column: object) -> list[Document]:
        path = tmp_path / name
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        config = ReadingConfig.model_validate({"column": column} if column else {})
        return list(read_documents(path, config, rejects))

    return read


def test_lines_of_text_are_documents_by_their_numbers(
    read: Read, rejects: Rejects, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blank = "\n" * 20
    found = read("x.txt", f"One.\n{blank}Two.\r\n")

    path = tmp_path / "x.txt"
    assert found == [Document(f"{path}:1", "One."), Document(f"{path}:22", "Two.")]
    assert (dict(rejects.notes), len(rejects)) == ({BLANK: 20}, 0)
    assert f"{path}: 20 documents {BLANK}" in caplog.text


def test_files_of_one_name_in_two_folders_do_not_take_each_others_place(
    tmp_path: Path, rejects: Rejects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "notes.txt").write_text(f"Of {folder}.\n")
        Path(folder, "notes.csv").write_text(f"text\nOf {folder}.\n")
    for ending, line in ((".txt", 1), (".csv", 2)):
        for order in ("ab", "ba"):
            found = [
                one
                for folder in order
                for one in read_documents(f"{folder}/notes{ending}", ReadingConfig(), rejects)
            ]
            assert found == [Document(f"{f}/notes{ending}:{line}", f"Of {f}.") for f in order]


@pytest.mark.parametrize("name", ["notes.txt.jsonl", "notes.txt.jsonl.gz"])
def test_the_last_ending_says_what_a_file_is(name: str, read: Read, tmp_path: Path) -> None:
    assert read(name, '{"text": "One."}\n') == [Document(f"{tmp_path / name}:1", "One.")]


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.jsonl.gz"])
def test_json_keeps_what_values_are(name: str, read: Read) -> None:
    content = json.dumps(ROWS) if name == "x.json" else "\n".join(map(json.dumps, ROWS))

    assert read(name, content) == [
        Document("a", "They swim.", "Sharks", {"year": 1990, "tags": ["sea"]}),
        Document("b", "They bark.", "", {"tags": []}),
    ]


@pytest.mark.parametrize(("name", "mark"), [("x.csv", ","), ("x.tsv", "\t")])
def test_tables_hold_text(name: str, mark: str, read: Read) -> None:
    lines = ["id,title,text,year", "a,Sharks,They swim.,1990", "b,,They bark.,"]

    assert read(name, "\n".join(lines).replace(",", mark)) == [
        Document("a", "They swim.", "Sharks", {"year": "1990"}),
        Document("b", "They bark."),
    ]


def test_parquet_holds_numbers_dates_and_nothing(tmp_path: Path, rejects: Rejects) -> None:
    table = pa.table(
        {
            "_id": ["a", "b"],
            "text": ["One.", "Two."],
            "when": [date(2024, 5, 31), None],
            "price": [Decimal("1.50"), None],
            "score": [0.5, float("nan")],
        }
    )
    parquet.write_table(table, tmp_path / "x.parquet")

    assert list(read_documents(tmp_path / "x.parquet", ReadingConfig(), rejects)) == [
        Document("a", "One.", "", {"when": "2024-05-31", "price": "1.50", "score": 0.5}),
        Document("b", "Two."),
    ]


def test_columns_are_named(read: Read) -> None:
    content = "no,headline,story\n7,Sharks,They swim.\n"

    assert read("x.csv", content, text="story", id="no", title="headline") == [
        Document("7", "They swim.", "Sharks")
    ]
    assert read("x.csv", "id,title,text\n7,Sharks,They swim.\n", title="") == [
        Document("7", "They swim.", "", {"title": "Sharks"})
    ]


def test_without_an_id_the_line_names_a_document(read: Read, tmp_path: Path) -> None:
    assert read("x.csv", "text\nOne.\n") == [Document(f"{tmp_path}/x.csv:2", "One.")]
    line = '{"text": "One."}\n'
    assert read("x.jsonl", line) == [Document(f"{tmp_path}/x.jsonl:1", "One.")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"id": "c", "text": ""}, "empty text"),
        ({"id": "c", "text": " \n"}, "empty text"),
        ({"id": "c", "text": 5}, "text is no text"),
        ({"id": "c"}, "empty text"),
        ({"id": "a", "text": "Again."}, "duplicate id"),
        ({"id": "", "text": "x"}, "no id"),
        ({"id": "c", "text": "x", "title": 5}, "title is no text"),
        ({"id": "c", "text": "x\0"}, "not a document"),
        ({"id": "c", "text": "x", "year": "\0"}, "not a document"),
    ],
)
def test_records_that_are_no_documents_are_rejected_with_a_reason(
    row: dict[str, object], reason: str, read: Read, rejects: Rejects
) -> None:
    found = read("x.jsonl", "\n".join(map(json.dumps, [*ROWS, row])))

    assert [one.id for one in found] == ["a", "b"]
    assert dict(rejects.reasons) == {reason: 1}
    assert rejects.num_records == 3


def test_too_many_rejects_stop_the_run(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join('{"id": "a", "text": "x"}' for _ in range(12)))

    with pytest.raises(DataError, match=r"11 of 12 records cannot be read \(11 duplicate id\)"):
        list(read_documents(path, ReadingConfig(), Rejects(0.001)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", "a,b\n1,2\n", "cannot tell which column is the text; found no header"),
        ("x.csv", "id,b\n1,2\n", "cannot tell which column is the text; found `id`, `b`"),
        ("x.txt", "", "holds no examples"),
        ("x.jsonl", "", "holds no examples"),
        ("x.pdf", "x", "cannot tell what this is"),
        ("x.parquet", "PAR1", "is no Parquet file"),
    ],
)
def test_a_file_that_holds_no_documents_is_refused(
    name: str, content: str, message: str, read: Read
) -> None:
    with pytest.raises(DataError, match=message):
        read(name, content)


def test_a_file_that_breaks_off_is_refused(tmp_path: Path, rejects: Rejects) -> None:
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "One."}\n' * 1000)[:-10])

    with pytest.raises(DataError, match="broken file: the compressed file ends too early"):
        list(read_documents(path, ReadingConfig(), rejects))


def test_lines_of_text_have_no_columns(read: Read) -> None:
    with pytest.raises(UsageError, match="one text per line, so it has no columns"):
        read("x.txt", "One.\n", text="a")


def test_no_such_file(tmp_path: Path, rejects: Rejects) -> None:
    with pytest.raises(DataError, match="no such file"):
        list(read_documents(tmp_path / "x.csv", ReadingConfig(), rejects))
