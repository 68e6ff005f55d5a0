"""Texts that belong together: pairs, triplets, pairs with scores, single texts, a teacher's."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import EmbeddingExample, TextExample
from unmask.data.labelled.objects import sentences_of
from unmask.data.labelled.reading import read_sentences
from unmask.data.rejects import Rejects
from unmask.errors import DataError, UsageError
from unmask.infer.vector_files import write_vectors

Write = Callable[[str, bytes | str], Path]
Read = Callable[..., tuple[list[Any], Rejects]]

PAIR = {"anchor": "a", "positive": "b"}
NUMBERS = "label is no list of numbers"


def lines(*records: dict[str, Any]) -> str:
    return "\n".join(map(json.dumps, records))


@pytest.mark.parametrize(
    ("record", "texts", "label"),
    [
        (PAIR, ("a", "b"), None),
        ({"query": "a", "document": "b"}, ("a", "b"), None),
        ({"Question": "a", "Answer": "b"}, ("a", "b"), None),
        ({"negative": "c", "positive": "b", "anchor": "a"}, ("a", "b", "c"), None),
        ({**PAIR, "negative_10": "e", "negative_2": "d", "negative_1": "c"}, tuple("abcde"), None),
        ({"query": "a", "pos": "b", "hard_neg 2": "d", "hard_neg 1": "c"}, tuple("abcd"), None),
        ({"query": "a", "positive": "b", "negatives": ["c", "d"]}, tuple("abcd"), None),
        ({"sentence1": "a", "sentence2": "b"}, ("a", "b"), None),
        ({"sentence1": "a", "sentence2": "b", "score": 4.25}, ("a", "b"), "4.25"),
        ({"sentence1": "a", "sentence2": "b", "label": 1}, ("a", "b"), "1"),
        ({"premise": "a", "hypothesis": "b", "label": "neutral"}, ("a", "b"), "neutral"),
        ({"text": "a"}, ("a",), None),
        ({"sentence": "a", "genre": "news"}, ("a",), None),
        ({**PAIR, "negative": "c", "margin": 2.5}, tuple("abc"), "2.5"),
        ({**PAIR, "negative": "c", "scores": [9, 4]}, tuple("abc"), (9.0, 4.0)),
        ({"text": "a", "embedding": [0.5, -1, 2]}, ("a",), (0.5, -1.0, 2.0)),
    ],
    ids=lambda one: ",".join(one) if isinstance(one, dict) else "",
)
def test_columns_are_recognised(
    write: Write, read: Read, record: dict[str, Any], texts: tuple[str, ...], label: Any
) -> None:
    path = write("a.jsonl", lines(record))
    examples, rejects = read(read_sentences, path)
    assert examples == [EmbeddingExample("1", texts, label, f"{path}:1")]
    assert (rejects.num_records, len(rejects)) == (1, 0)
    ((unlabelled,), _) = read(read_sentences, path, labels="none")
    assert (unlabelled.texts, unlabelled.label) == (texts, None)


def test_a_cell_may_hold_a_list_or_a_truth(write: Write, read: Read) -> None:
    cells = ['"[9, -4.5]"', "True", "FALSE", "maybe", '"[9, x]"', '"[[1]]"']
    rows = "".join(f"a,b,{cell}\n" for cell in cells)
    path = write("a.csv", f"anchor,positive,label\n{rows}")
    examples, rejects = read(read_sentences, path)
    assert [one.label for one in examples] == [(9.0, -4.5), "1", "0", "maybe"]
    assert [one.place for one in rejects.first] == [f"{path}:6", f"{path}:7"]
    assert rejects.reasons == {NUMBERS: 2}
    path = write("b.jsonl", lines({**PAIR, "label": True}, {**PAIR, "label": False}))
    assert [one.label for one in read(read_sentences, path)[0]] == ["1", "0"]


def test_stsb_is_read_without_a_header(write: Write, read: Read) -> None:
    path = write("sts.csv", '"A plane, taking off.",An air plane.,5.0\nA man.,A cat.,0.25\n')
    columns = {"texts": (0, 1), "label": 2}
    examples, _ = read(read_sentences, path, columns=columns, labels="number", header="no")
    assert examples == [
        EmbeddingExample("1", ("A plane, taking off.", "An air plane."), 5.0, f"{path}:1"),
        EmbeddingExample("2", ("A man.", "A cat."), 0.25, f"{path}:2"),
    ]
    unset, _ = read(read_sentences, path)  # the first two columns, and no label
    assert [(one.texts, one.label) for one in unset] == [(one.texts, None) for one in examples]


def test_the_columns_can_be_set(write: Write, read: Read) -> None:
    path = write("a.tsv", "which\tfar\tnear\tscore\tof\tname\nq\tc\tb\t0.5\tx\tn7\n")
    columns = {"texts": ("which", "near", "far"), "label": "", "group": "of", "id": "name"}
    examples, _ = read(read_sentences, path, columns=columns)
    assert examples == [EmbeddingExample("n7", ("q", "b", "c"), None, f"{path}:2", "x")]
    with pytest.raises(DataError, match=r"no column `nere`; found `which`.*Did you mean `near`"):
        read(read_sentences, path, columns={"texts": ("which", "nere")})
    with pytest.raises(UsageError, match="label: has 2 columns; this task reads one"):
        read(read_sentences, path, columns={"texts": ("which",), "label": ("score", "of")})


def test_a_column_that_is_a_text_is_no_label(write: Write, read: Read) -> None:
    path = write("a.jsonl", lines({"topic": "rain", "text": "it fell"}))
    examples, _ = read(read_sentences, path, columns={"texts": ("topic", "text")})
    assert (examples[0].texts, examples[0].label) == (("rain", "it fell"), None)


def test_a_teachers_vectors_come_from_what_embed_writes(tmp_path: Path, read: Read) -> None:
    def texts() -> Iterator[TextExample]:
        for i in range(3):
            yield TextExample(f"id {i}", f"text {i}", None, None, None, "")

    vectors = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    write_vectors(texts(), lambda _: vectors, 5, tmp_path / "teacher.parquet")
    examples, _ = read(read_sentences, tmp_path / "teacher.parquet")
    assert [one.id for one in examples] == ["id 0", "id 1", "id 2"]
    assert [one.texts for one in examples] == [("text 0",), ("text 1",), ("text 2",)]
    np.testing.assert_array_equal(np.array([one.label for one in examples], np.float32), vectors)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"positive": ""}, "empty text"),
        ({"anchor": " \t"}, "empty text"),
        ({"anchor": None}, "empty text"),
        ({"anchor": []}, "empty text"),
        ({"anchor": 3}, "text is no text: int"),
        ({"positive": "b\x00"}, "NUL"),
        ({"negative": ["c", "b"]}, "a negative equals the positive: b"),
        ({"label": ["x", 1]}, f"{NUMBERS}: ['x', 1]"),
        ({"label": []}, NUMBERS),
        ({"label": [1.0, float("nan")]}, NUMBERS),
        ({"label": [1, 10**400]}, NUMBERS),
        ({"label": [1.0, None]}, NUMBERS),
        ({"label": [[1.0], [2.0]]}, NUMBERS),
        ({"label": {"of": 1}}, "label is no class: dict"),
        ({"label": None}, "no label"),
    ],
)
def test_a_faulty_row_is_a_reject_with_its_line(
    write: Write, read: Read, changed: dict[str, Any], reason: str
) -> None:
    good = {**PAIR, "negative": "c", "label": 1}
    path = write("a.jsonl", lines(good, {**good, **changed}, good))
    examples, rejects = read(read_sentences, path)
    assert [one.id for one in examples] == ["1", "3"]
    (reject,) = rejects.first
    assert reject.place == f"{path}:2"
    assert reason in reject.reason


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        (float("nan"), "label is not finite"),
        ("5.5", "label out of range: 5.5, expected 0 to 5"),
        ("good", "label is no number: `good`"),
    ],
)
def test_scores_are_finite_numbers_of_their_range(
    write: Write, read: Read, score: Any, reason: str
) -> None:
    rows = [{"sentence1": "a", "sentence2": "b", "score": one} for one in (score, 5, "0")]
    path = write("a.jsonl", lines(*rows))
    examples, rejects = read(read_sentences, path, labels="number", label_range=(0, 5))
    assert [one.label for one in examples] == [5.0, 0.0]
    assert rejects.first[0].place == f"{path}:1"
    assert reason in rejects.first[0].reason


def test_a_range_makes_numbers_of_labels(write: Write, read: Read) -> None:
    rows = "sentence1\tsentence2\tscore\na\tb\t5.5\nc\td\tnan\ne\tf\t5\n"
    path = write("a.tsv", rows)
    examples, rejects = read(read_sentences, path, label_range=(0, 5))
    assert [one.label for one in examples] == [5.0]
    assert [f"{one.place}: {one.reason}" for one in rejects.first] == [
        f"{path}:2: label out of range: 5.5, expected 0 to 5",
        f"{path}:3: label is not finite: `nan`, expected a number",
    ]
    with pytest.raises(UsageError, match=r"label-range: is for numbers, but --data"):
        read(read_sentences, path, label_range=(0, 5), labels="class")


def test_numbers_of_inference_are_asked_what_they_mean(
    write: Write, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    rows = "premise\thypothesis\tlabel\na\tb\t0\nc\td\t2\n"
    path = write("nli.tsv", rows)
    with caplog.at_level(logging.WARNING):
        examples, _ = read(read_sentences, path)
    assert [one.label for one in examples] == ["0", "2"]
    (said,) = caplog.messages
    assert said.startswith(f"{path}:2: the label of a premise and a hypothesis is 0, a number.")
    caplog.clear()
    names = ("entailment", "neutral", "contradiction")
    examples, _ = read(read_sentences, path, class_names=names)
    assert [one.label for one in examples] == ["entailment", "contradiction"]
    read(read_sentences, path, labels="number")
    read(read_sentences, write("sts.tsv", rows.replace("premise\thypothesis", "text1\ttext2")))
    read(read_sentences, write("names.tsv", rows.replace("\t0", "\tno").replace("\t2", "\tyes")))
    assert caplog.messages == []


def test_several_classes_are_no_label_here(write: Write, read: Read) -> None:
    path = write("a.jsonl", lines({**PAIR, "label": "x,y"}))
    with pytest.raises(UsageError, match=r"--data.labels multi: .* have one label"):
        read(read_sentences, path, labels="multi")


def test_pairs_on_which_nobody_agreed_are_left_out(write: Write, read: Read) -> None:
    rows = "gold_label\tsentence1\tsentence2\nneutral\ta\tb\n-\tc\td\n"
    examples, rejects = read(read_sentences, write("snli.tsv", rows))
    assert [(one.texts, one.label) for one in examples] == [(("a", "b"), "neutral")]
    assert rejects.notes == {"left out, without a label": 1}
    assert len(rejects) == 0


def test_a_repeated_id_is_a_reject(write: Write, read: Read) -> None:
    rows = [{"id": one, **PAIR} for one in (7, 8, 7)]
    examples, rejects = read(read_sentences, write("a.jsonl", lines(*rows)))
    assert [one.id for one in examples] == ["7", "8"]
    assert rejects.first[0].reason == "duplicate id: `7` stands in line 1 already"


def test_a_table_without_texts_says_what_was_expected(write: Write, read: Read) -> None:
    path = write("a.jsonl", lines({"left": "a", "right": "b"}))
    expected = (
        r"a.jsonl:1: none of its columns \(`left`, `right`\) is known as texts; expected anchor, "
        r"positive, sentence1, text. Set --data.columns.texts"
    )
    with pytest.raises(DataError, match=expected):
        read(read_sentences, path)
    with pytest.raises(UsageError, match="sentiment trees hold no texts that belong together"):
        read(read_sentences, write("a.trees", "(2 (2 a) (2 b))\n"))


def test_rows_of_python_are_read_alike() -> None:
    def found(*rows: Any) -> list[tuple[str, ...]]:
        return [one.texts for one in sentences_of(list(rows), LabelledConfig(), Rejects(1.0))]

    assert found("a", ("b",)) == [("a",), ("b",)]
    assert found(("a", "b"), {"anchor": "c", "positive": "d"}) == [("a", "b"), ("c", "d")]
    assert found(("a", "b", "c")) == [("a", "b", "c")]
    with pytest.raises(UsageError, match=r"expected a dict, or a tuple \(text\) or \(anchor, pos"):
        found(("a", "b", "c", "d"))
