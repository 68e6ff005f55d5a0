from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.search.embedders import Bag

from unmask.errors import DataError, UsageError
from unmask.search.row_files import check_ending, write_rows
from unmask.search.text_vectors import encoded, loaded

ROWS = [
    {"id": "1", "text": 'a "good" film,\nthe cat said', "scores": [0.5, 0.25], "cluster": 3},
    {"id": "2", "text": "naïve", "scores": [], "cluster": None},
]


def test_json_lines_hold_every_row(tmp_path: Path) -> None:
    assert write_rows(tmp_path / "new" / "rows.jsonl", ROWS) == 2

    lines = (tmp_path / "new" / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == ROWS
    assert "naïve" in lines[1]


def test_tables_quote_what_needs_it_and_hold_lists_as_json(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", ROWS)

    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        header, first, second = csv.reader(file)
    assert header == ["id", "text", "scores", "cluster"]
    assert first == ["1", ROWS[0]["text"], "[0.5, 0.25]", "3"]
    assert second == ["2", "naïve", "[]", ""]


def test_texts_alone_are_one_a_line(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.txt", ROWS[1:])
    assert (tmp_path / "rows.txt").read_text(encoding="utf-8") == "naïve\n"

    with pytest.raises(UsageError, match=r"text 1: has several lines.* ends in \.jsonl"):
        write_rows(tmp_path / "rows.txt", ROWS)
    assert (tmp_path / "rows.txt").read_text(encoding="utf-8") == "naïve\n"


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    def breaking() -> Iterator[dict[str, Any]]:
        yield ROWS[0]
        raise DataError("broken")

    with pytest.raises(DataError, match="broken"):
        write_rows(tmp_path / "rows.jsonl", breaking())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["rows", "rows.json", "rows.tsv", "rows.txt"])
def test_other_endings_are_refused_before_any_work(name: str) -> None:
    with pytest.raises(UsageError, match=r"ends in \.jsonl or \.csv"):
        check_ending(Path(name))


def test_equal_texts_are_encoded_once() -> None:
    bag = Bag()

    vectors = encoded(["a cat", "a dog", "a cat"], bag)

    assert bag.encoded == 2
    assert (vectors == Bag().encode_document(["a cat", "a dog", "a cat"])).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "cannot be read as .npy"),
        (b"0.1 0.2\n", "cannot be read as .npy"),
        (np.array([["a", 1]], dtype=object), "cannot be read as .npy"),
        (np.ones(3), r"has the shape \(3,\), but texts.txt has 3 texts"),
        (np.ones((2, 5)), r"has the shape \(2, 5\), but texts.txt has 3 texts; expected a row"),
    ],
    ids=["missing", "empty", "words", "objects", "flat", "too few"],
)
def test_files_that_hold_no_vector_for_each_text_are_refused(
    content: Any, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "vectors.npy"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        np.save(file, content)

    with pytest.raises(DataError, match=message):
        loaded(file, 3, Path("texts.txt"))


def test_kept_vectors_are_those_of_the_file(tmp_path: Path) -> None:
    vectors = Bag().encode_document(["a", "b", "c"])
    np.save(tmp_path / "vectors.npy", vectors)

    assert (loaded(tmp_path / "vectors.npy", 3, Path("texts.txt")) == vectors).all()
