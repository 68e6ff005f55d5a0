"""Questions are read with answers where they stand, and what is wrong with them is counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unmask.data.labelled.examples import Answer, QuestionExample
from unmask.data.labelled.reading import read_questions
from unmask.data.labelled.squad import DROPPED, REALIGNED
from unmask.data.rejects import Rejects
from unmask.errors import DataError

Write = Callable[[str, bytes | str], Path]
Read = Callable[..., tuple[list[Any], Rejects]]
CONTEXT = "Paris is in France. \U0001f600 Rome is in Italy.\r\nRome is old."


def squad(*questions: dict[str, Any], context: Any = CONTEXT, version: str = "v2.0") -> str:
    paragraphs = [{"context": context, "qas": list(questions)}]
    return json.dumps({"version": version, "data": [{"title": "Cities", "paragraphs": paragraphs}]})


def asked(number: int, *answers: tuple[Any, Any], **more: Any) -> dict[str, Any]:
    listed = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": f"q{number}", "question": "Where?", "answers": listed, **more}


def test_both_versions_are_read(write: Write, read: Read) -> None:
    content = squad(
        asked(1, ("France", 12), ("in France", 9), is_impossible=False),
        asked(2, is_impossible=True, plausible_answers=[{"text": "Italy", "answer_start": 33}]),
    )
    path = write("a.json", content)
    examples, rejects = read(read_questions, path)
    answers = (Answer("France", 12), Answer("in France", 9))
    place = f"{path}:data[0].paragraphs[0].qas[0]"
    expected = QuestionExample("q1", "Where?", CONTEXT, answers, False, "Cities", place)
    assert examples[0] == expected
    assert (examples[1].answers, examples[1].is_impossible) == ((), True)
    assert (rejects.num_records, len(rejects), len(rejects.notes)) == (2, 0, 0)
    path = write("b.json", "\ufeff" + squad(asked(1, ("Italy", 33)), version="1.1"))
    ((example,), _) = read(read_questions, path)
    assert (example.answers, example.is_impossible) == ((Answer("Italy", 33),), False)


def test_test_files_have_no_answers(write: Write, read: Read) -> None:
    content = squad({"id": "a", "question": "Who?"}, {"id": 7, "question": "Who?", "answers": []})
    examples, _ = read(read_questions, write("a.json", content))
    assert [(e.id, e.answers, e.is_impossible) for e in examples] == [
        ("a", (), False),
        ("7", (), False),
    ]
    content = squad(asked(1, ("nowhere", 0)), asked(2, is_impossible=True))
    examples, _ = read(read_questions, write("b.json", content), labels="none")
    assert [(e.answers, e.is_impossible) for e in examples] == [((), False)] * 2


def test_an_answer_at_a_wrong_place_is_moved_if_it_stands_once(write: Write, read: Read) -> None:
    content = squad(
        asked(1, ("Italy", 32)),
        asked(2, ("Rome", 0)),
        asked(3, ("Berlin", 0)),
        asked(4, ("Rome", 1), ("Italy", 33)),
        asked(5, ("France", -1)),
        asked(6, ("Italy", 10**9), ("Italy", 33)),
    )
    path = write("a.json", content)
    examples, rejects = read(read_questions, path)
    assert [example.id for example in examples] == ["q1", "q4", "q5", "q6"]
    assert examples[0].answers == examples[1].answers == (Answer("Italy", 33),)
    assert examples[2].answers == (Answer("France", 12),)
    assert examples[3].answers == (Answer("Italy", 33),) * 2
    assert rejects.notes == {REALIGNED: 3, DROPPED: 1}
    assert [(reject.record, reject.reason) for reject in rejects.first] == [
        (
            2,
            "misaligned answer: data[0].paragraphs[0].qas[1]: `Rome` is not at 0 and is there "
            "several times",
        ),
        (
            3,
            "misaligned answer: data[0].paragraphs[0].qas[2]: `Berlin` is not at 0 and is not in "
            "the context",
        ),
    ]


def test_faulty_questions_are_rejects(write: Write, read: Read) -> None:
    good = asked(0, ("France", 12))
    content = squad(
        good,
        good,
        {**good, "id": None},
        {**good, "id": "a", "question": "  "},
        {**good, "id": "b", "question": 7},
        asked(1, ("France", 12), is_impossible=True),
        asked(2, ("", 0)),
        asked(3, ("France", "12")),
        {**good, "id": "c", "answers": ["France"]},
    )
    examples, rejects = read(read_questions, write("a.json", content))
    assert [example.id for example in examples] == ["q0"]
    assert rejects.reasons == {
        "duplicate id": 1,
        "no id": 1,
        "empty question": 1,
        "no question": 1,
        "an impossible question has answers": 1,
        "empty answer": 1,
        "answer without a place": 1,
        "broken answers": 1,
    }
    more = [
        {**good, "is_impossible": "no"},
        {**good, "answers": "France"},
        {**good, "question": "\ud800"},
    ]
    examples, rejects = read(read_questions, write("b.json", squad(*more, good)))
    assert [example.id for example in examples] == ["q0"]  # an id of rejects is free for others
    assert set(rejects.reasons) == {
        "is_impossible is neither true nor false",
        "answers are no list",
        "lone surrogate",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"a\.json:1: is not JSON \(Expecting value at column 1\)"),
        ('{"data":\n [}', r"a\.json:2: is not JSON"),
        ("[]", r"a\.json:1: holds a list\. Expected SQuAD's JSON: `data`, a list of articles"),
        ('{"rows": 1, "features": 2}', r"a\.json:1: holds an object with rows, features\. Exp"),
        ('{"data": [{"title": "x"}]}', r"data\[0\] has no list `paragraphs`"),
        ('{"data": [{"paragraphs": [7]}]}', r"data\[0\]\.paragraphs\[0\] has no list `qas`"),
        ('{"data": [{"paragraphs": [{"qas": [7]}]}]}', r"paragraphs\[0\]\.qas\[0\] is no object"),
        ('{"data": [{"paragraphs": [{"qas": [{"id": 1, "question": "?"}]}]}]}', "no context"),
        ('{"data": []}', "holds no examples"),
        (b'{"data": "\xff"}', r"a\.json:1: byte 0xff at offset 10 is not UTF-8"),
        ("[" * 100_000, "the JSON cannot be read"),
    ],
)
def test_json_that_is_not_squad_says_what_is_missing(
    write: Write, read: Read, content: bytes | str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(read_questions, write("a.json", content))


def test_a_context_of_a_million_characters(write: Write, read: Read) -> None:
    context = "ab " * 400_000 + "needle " + "ab " * 100_000
    questions = [asked(i, ("needle", 5)) for i in range(50)]
    examples, rejects = read(read_questions, write("a.json", squad(*questions, context=context)))
    assert {example.answers for example in examples} == {(Answer("needle", 1_200_000),)}
    assert rejects.notes == {REALIGNED: 50}


def test_a_faulty_question_is_told_by_its_number_not_as_a_line(write: Write, read: Read) -> None:
    good = asked(0, ("France", 12))
    path = write("a.json", squad(good, good))
    _, rejects = read(read_questions, path)
    assert rejects.first[0].place == f"{path}: question 2"
    assert rejects.first[0].reason.endswith("`q0` stands in question 1 already")


def test_tables_like_squads(write: Write, read: Read) -> None:
    answers: list[Any] = [
        {"text": ["France"], "answer_start": [12]},
        {"text": [], "answer_start": []},
        [{"text": "Italy", "answer_start": 0}],
        {"text": ["France"], "answer_start": []},
        None,
    ]
    rows = [
        {"id": f"q{i}", "title": "T", "context": CONTEXT, "question": "?", "answers": given}
        for i, given in enumerate(answers)
    ]
    path = write("a.jsonl", "\n".join(map(json.dumps, rows)))
    examples, rejects = read(read_questions, path)
    assert [(e.id, e.answers, e.is_impossible) for e in examples] == [
        ("q0", (Answer("France", 12),), False),
        ("q1", (), True),
        ("q2", (Answer("Italy", 33),), False),
    ]
    assert (examples[0].title, examples[0].place) == ("T", f"{path}:1")
    assert rejects.reasons == {"broken answers": 1, "answers are no list": 1}
    path = write("b.jsonl", json.dumps({"q": "Who?", "passage": CONTEXT}))
    ((example,), _) = read(read_questions, path, columns={"text": "q"})
    assert (example.question, example.answers, example.is_impossible) == ("Who?", (), False)
    path = write("b.jsonl", json.dumps({"q": "Who", "more": "is it?", "passage": CONTEXT}))
    ((example,), _) = read(read_questions, path, columns={"text": ["q", "more"]})
    assert example.question == "Who is it?"
    row = {"question": "?", "context": CONTEXT, "answers": [], "is_impossible": False}
    ((example,), _) = read(read_questions, write("c.jsonl", json.dumps(row)))
    assert not example.is_impossible
    with pytest.raises(DataError, match=r"none of its columns .* is known as text_pair"):
        read(read_questions, write("d.jsonl", '{"question": "?"}'))
