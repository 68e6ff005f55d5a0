"""Texts with choices are read from the published layouts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unmask.data.labelled.examples import ChoiceExample
from unmask.data.labelled.reading import read_choices
from unmask.data.rejects import Rejects
from unmask.errors import DataError

Write = Callable[[str, bytes | str], Path]
Read = Callable[..., tuple[list[Any], Rejects]]

SWAG = """\
,video-id,fold-ind,startphrase,sent1,sent2,gold-source,ending0,ending1,ending2,ending3,label
0,v,3,"He sits. He","He sits.","He",gold,"stands, slowly.",eats.,runs.,sleeps.,2
1,v,4,She,She sings.,,gold,a,b,c,d,4
2,v,5,She,She sings.,,gold,a,b,c,d,3
"""


def test_swag(write: Write, read: Read) -> None:
    path = write("a.csv", SWAG)
    examples, rejects = read(read_choices, path)
    choices = ("He stands, slowly.", "He eats.", "He runs.", "He sleeps.")
    assert examples == [
        ChoiceExample("2", "He sits.", choices, 2, f"{path}:2"),
        ChoiceExample("4", "She sings.", ("a", "b", "c", "d"), 3, f"{path}:4"),
    ]
    (reject,) = rejects.first
    assert reject.place == f"{path}:3"
    assert reject.reason == "label out of range: `4` for 4 choices, expected 0 to 3"
    examples, _ = read(read_choices, path, labels="none", columns={"choice_prefix": ""})
    assert (examples[0].choices[1], examples[0].label, len(examples)) == ("eats.", None, 3)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"ctx": "t", "endings": ["a", "b"], "label": "1"}, ("t", ("a", "b"), 1)),
        ({"premise": "t", "choice1": "a", "choice2": "b", "label": 0}, ("t", ("a", "b"), 0)),
        (
            {
                "question": "t",
                "choices": {"text": ["a", "b", "c"], "label": ["1", "2", "3"]},
                "answerKey": "3",
            },
            ("t", ("a", "b", "c"), 2),
        ),
        ({"question": "t", "options": ["a", "b"], "answer": "B"}, ("t", ("a", "b"), 1)),
        ({"text": "t", "choices": ["yes", "no"], "label": "no"}, ("t", ("yes", "no"), 1)),
        ({"text": "t", "choices": ["yes", "no"], "label": 1.0}, ("t", ("yes", "no"), 1)),
    ],
)
def test_lists_and_numbered_columns(
    write: Write, read: Read, record: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    ((example,), _) = read(read_choices, write("a.jsonl", json.dumps(record)))
    assert (example.text, example.choices, example.label) == expected


def test_several_columns_make_one_text(write: Write, read: Read) -> None:
    path = write("a.tsv", "one\ttwo\tchoice1\tchoice2\tlabel\na\tb\tx\ty\t1\n")
    ((example,), _) = read(read_choices, path, columns={"text": ["one", "two"]})
    assert example.text == "a b"


def test_without_a_label_there_is_nothing_to_learn_but_to_answer(write: Write, read: Read) -> None:
    path = write("a.jsonl", '{"text": "t", "choices": ["yes", "no"]}')
    assert read(read_choices, path, labels="none")[0][0].label is None
    with pytest.raises(DataError, match=r"\(`text`, `choices`\) is known as label; expected label"):
        read(read_choices, path)


def test_the_columns_can_be_set(write: Write, read: Read) -> None:
    path = write("a.tsv", "which\tone\ttwo\tright\nt\ta\tb\t1\n")
    columns = {"text": "which", "choices": ["one", "two"], "label": "right"}
    ((example,), _) = read(read_choices, path, columns=columns)
    assert (example.text, example.choices, example.label) == ("t", ("a", "b"), 1)
    with pytest.raises(DataError, match="known as choices; expected ending0, choice1, choices"):
        read(read_choices, path, columns={"text": "which"})


def test_faulty_rows_are_rejects(write: Write, read: Read) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "t", "choices": ["a"], "label": 0},
        {"text": "t", "choices": ["a", ""], "label": 0},
        {"text": "t", "choices": "a", "label": 0},
        {"text": "t", "choices": ["a", "b"], "label": None},
        {"text": "t", "choices": ["a", "b"], "label": -1},
        {"text": "", "choices": ["a", "b"], "label": 0},
        {"text": "t", "choices": ["a", "b"], "label": 0},
    ]
    path = write("a.jsonl", "\n".join(map(json.dumps, rows)))
    examples, rejects = read(read_choices, path)
    assert [example.id for example in examples] == ["7"]
    assert rejects.reasons == {
        "too few choices": 1,
        "empty choice": 1,
        "choices are no list": 1,
        "no label": 1,
        "label out of range": 1,
        "empty text": 1,
    }
    with pytest.raises(DataError, match=r"a.csv: is a|holds no examples"):
        read(read_choices, write("a.csv", ""))
