"""Queries with graded documents: lists, positives and negatives, or a row for each document."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.doctor import examine
from unmask.data.labelled.examples import RankedExample
from unmask.data.labelled.objects import ranked_of
from unmask.data.labelled.reading import read_ranked
from unmask.data.labelled.splitting import split
from unmask.data.rejects import Rejects
from unmask.errors import DataError, UsageError

Write = Callable[[str, bytes | str], Path]
Read = Callable[..., tuple[list[Any], Rejects]]


def lines(*records: dict[str, Any]) -> str:
    return "\n".join(map(json.dumps, records))


@pytest.mark.parametrize(
    ("record", "documents", "grades"),
    [
        ({"query": "q", "documents": ["a", "b"], "labels": [1, 0]}, ("a", "b"), (1.0, 0.0)),
        ({"query": "q", "docs": ["a", "b"], "labels": [True, False]}, ("a", "b"), (1.0, 0.0)),
        ({"question": "q", "passages": ["a"], "scores": [-3.5]}, ("a",), (-3.5,)),
        ({"query": "q", "positive": "a", "negative": "b"}, ("a", "b"), (1.0, 0.0)),
        (
            {"anchor": "q", "positive": "a", "negative_2": "c", "negative_1": "b"},
            ("a", "b", "c"),
            (1.0, 0.0, 0.0),
        ),
        ({"query": "q", "pos": ["a", "b"], "neg": ["c"]}, ("a", "b", "c"), (1.0, 1.0, 0.0)),
        ({"query": "q", "positive": "a", "negatives": []}, ("a",), (1.0,)),
        ({"query": "q", "answer": "a", "label": 1}, ("a",), (1.0,)),
        ({"sentence1": "q", "sentence2": "a", "score": "0.25"}, ("a",), (0.25,)),
    ],
)
def test_a_row_has_documents_and_their_grades(
    write: Write, read: Read, record: dict[str, Any], documents: Any, grades: Any
) -> None:
    path = write("a.jsonl", lines(record))
    examples, _ = read(read_ranked, path)
    assert examples == [RankedExample("1", "q", documents, grades, f"{path}:1")]
    unlabelled = {name: value for name, value in record.items() if "label" not in name}
    unlabelled = {name: value for name, value in unlabelled.items() if "score" not in name}
    ((asked,), _) = read(read_ranked, write("b.jsonl", lines(unlabelled)), labels="none")
    assert (asked.query, asked.documents, asked.grades) == ("q", documents, None)


def test_rows_of_one_query_belong_together_wherever_they_stand(write: Write, read: Read) -> None:
    path = write("a.tsv", "query\tdocument\tlabel\nq\ta\t0\nr\ta\t2\nq\tb\t1\nq\ta\t0\n")
    examples, rejects = read(read_ranked, path)
    assert examples == [
        RankedExample("2", "q", ("a", "b"), (0.0, 1.0), f"{path}:2"),
        RankedExample("3", "r", ("a",), (2.0,), f"{path}:3"),
    ]
    assert rejects.notes == {"left out, for the same query has the same document": 1}
    asked, _ = read(read_ranked, path, labels="none")
    assert [one.documents for one in asked] == [("a",), ("a",), ("b",), ("a",)]


def test_three_columns_without_names_are_query_document_and_grade(write: Write, read: Read) -> None:
    ((example,), _) = read(read_ranked, write("a.tsv", "q\ta\t1\nq\tb\t0\n"))
    assert (example.query, example.documents, example.grades) == ("q", ("a", "b"), (1.0, 0.0))
    asked, _ = read(read_ranked, write("b.tsv", "q\ta\nq\tb\n"), labels="none")
    assert [one.documents for one in asked] == [("a",), ("b",)]


def test_the_columns_can_be_set(write: Write, read: Read) -> None:
    path = write("a.tsv", "which\tone\ttwo\tright\tof\nq\ta\tb\t1\tx\n")
    columns = {"text": "which", "text_pair": "two", "label": "right", "group": "of"}
    ((example,), _) = read(read_ranked, path, columns=columns)
    assert (example.documents, example.grades, example.group) == (("b",), (1.0,), "x")
    ((example,), _) = read(read_ranked, path, columns={"texts": ("which", "two", "one")})
    assert (example.query, example.documents, example.grades) == ("q", ("b", "a"), (1.0, 0.0))
    with pytest.raises(DataError, match=r"is known as text; expected query, question"):
        read(read_ranked, path, header="yes")
    with pytest.raises(DataError, match=r"is known as text_pair; expected documents, docs"):
        read(read_ranked, path, columns={"text": "which"})
    with pytest.raises(DataError, match="is known as label"):
        read(read_ranked, path, columns={"text": "which", "text_pair": "one", "label": ""})
    with pytest.raises(UsageError, match="names one column; expected the query, what answers it"):
        read(read_ranked, path, columns={"texts": ("which",)})


def test_faulty_rows_are_rejects(write: Write, read: Read) -> None:
    path = write(
        "a.jsonl",
        lines(
            {"query": "q", "documents": [], "labels": []},
            {"query": "q", "documents": ["a", "b"], "labels": [1]},
            {"query": "q", "documents": ["a", "b"], "labels": [1, float("nan")]},
            {"query": "q", "documents": ["a", "b"], "labels": ["good", 0]},
            {"query": "q", "documents": ["a", " "], "labels": [1, 0]},
            {"query": "  ", "documents": ["a", "b"], "labels": [1, 0]},
            {"query": "q", "documents": ["a", 7], "labels": [1, 0]},
            {"query": "q", "documents": ["a", "a"], "labels": [1, 0]},
            {"query": "q", "documents": None, "labels": [1]},
            {"query": "q", "documents": ["a", "b"], "labels": [1, 0]},
            {"query": "q", "documents": ["c", "a"], "labels": [1, 0]},
        ),
    )
    examples, rejects = read(read_ranked, path, max_reject_rate=1.0)
    assert [(one.documents, one.grades) for one in examples] == [(("a", "b"), (1.0, 0.0))]
    assert rejects.reasons == {
        "no document": 2,
        "not one grade a document": 1,
        "label is not finite": 1,
        "label is no number": 1,
        "empty document": 1,
        "empty query": 1,
        "document is no text": 1,
        "a document has two grades": 2,
    }
    assert rejects.num_records == 11


def test_a_positive_that_is_a_negative_too_is_a_reject(write: Write, read: Read) -> None:
    rows = [{"query": str(i), "positive": "a", "negative": "b" if i else "a"} for i in range(3)]
    examples, rejects = read(read_ranked, write("a.jsonl", lines(*rows)))
    assert [one.query for one in examples] == ["1", "2"]
    assert rejects.first[0].reason == "a negative equals the positive: a"


def test_ids_name_queries_not_rows(write: Write, read: Read) -> None:
    text = "id\tquery\tdocument\tlabel\n7\tq\ta\t0\n7\tq\tb\t1\n7\tr\tb\t1\n"
    examples, rejects = read(read_ranked, write("a.tsv", text))
    assert [one.id for one in examples] == ["7"]
    assert rejects.reasons == {"duplicate id": 1}


def test_rows_of_python_are_read_alike() -> None:
    config, rejects = LabelledConfig(), Rejects(1.0)
    rows: list[Any] = [("q", ["a", "b"], [1, 0]), ("r", "a", 0.5), ("r", "c", 1)]
    found = list(ranked_of(rows, config, rejects))
    assert [(one.documents, one.grades) for one in found] == [
        (("a", "b"), (1.0, 0.0)),
        (("a", "c"), (0.5, 1.0)),
    ]
    with pytest.raises(UsageError, match=r"expected a dict, or a tuple \(query, documents\)"):
        list(ranked_of(["q"], config, rejects))
    with pytest.raises(DataError, match="holds no examples"):
        list(ranked_of([], config, rejects))


def test_trees_hold_no_documents(write: Write, read: Read) -> None:
    with pytest.raises(UsageError, match="sentiment trees hold no documents"):
        read(read_ranked, write("a.trees", "(2 (2 a) (2 b))\n"))


def test_a_query_is_held_out_with_all_its_documents() -> None:
    examples = [
        RankedExample(str(i), f"q{i}", ("a", "b"), (1.0, 0.0), f"x:{i}", "even" if i % 2 else None)
        for i in range(20)
    ]
    train, held_out = split(examples, 0.2, 1)
    assert len(held_out) in (3, 4, 5, 13)
    assert {one.query for one in train}.isdisjoint(one.query for one in held_out)
    assert sum("even" in {one.group for one in some} for some in (train, held_out)) == 1


def test_the_doctor_names_a_query_that_is_in_both_files() -> None:
    train = [RankedExample(str(i), f"q{i}", (f"a{i}",), (1.0,), f"t:{i}") for i in range(5)]
    test = [RankedExample("9", "Q3", ("other",), (0.0,), "v:1")]
    findings = examine(train, {"test": test})
    assert any("test: 1 of 1 examples (100.0%) stand in train too" in one.what for one in findings)
    unknown = [RankedExample("1", "q", ("a",), None, "t:1")]
    assert any("have no label" in one.what for one in examine(unknown, {}))
