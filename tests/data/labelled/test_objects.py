"""Python objects give the examples that files with the same content give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import Answer, TextExample
from unmask.data.labelled.objects import choices_of, questions_of, tagged_of, texts_of
from unmask.data.rejects import Rejects
from unmask.errors import DataError, UsageError


@dataclass
class ClassLabel:
    names: list[str]


@dataclass
class ListOf:
    feature: Any


@dataclass
class Dataset:
    """What a `datasets.Dataset` shows: features, and rows that are dicts."""

    features: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


@pytest.fixture
def rejects() -> Rejects:
    return Rejects(0.001)


def config(**settings: Any) -> LabelledConfig:
    return LabelledConfig.model_validate(settings)


def test_dicts_tuples_and_strings_are_texts(rejects: Rejects) -> None:
    expected = [
        TextExample("1", "a", None, "x", None, "mine: record 1"),
        TextExample("2", "b", None, "y", None, "mine: record 2"),
    ]
    dicts = [{"text": "a", "label": "x"}, {"label": "y", "text": "b", "more": 1}]
    for rows in (dicts, [("a", "x"), ("b", "y")], iter([("a", "x"), ["b", "y"]])):
        assert list(texts_of(rows, config(), rejects, name="mine")) == expected
    ((first, second), third) = (
        texts_of([("a", "b", 1.5), ("c", "d", np.float32(2))], config(labels="number"), rejects),
        texts_of(["a", "b"], config(labels="none"), rejects),
    )
    assert (first.text_pair, first.label, second.label) == ("b", 1.5, 2.0)
    assert [example.label for example in third] == [None, None]


def test_classes_of_a_dataset_get_their_names(rejects: Rejects) -> None:
    features = {"sentence": object(), "label": ClassLabel(["negative", "positive"])}
    rows = [
        {"sentence": "a", "label": 1},
        {"sentence": "b", "label": np.int64(0)},
        {"sentence": "c", "label": -1},
        {"sentence": "d", "label": 2},
    ]
    examples = list(texts_of(Dataset(features, rows), config(), rejects))
    assert [example.label for example in examples] == ["positive", "negative"]
    assert rejects.notes == {"left out, without a label": 1}
    assert rejects.first[0].place == "data: record 4"
    assert rejects.first[0].reason.startswith("label out of range: `2`, expected `negative`")
    unlabelled = list(texts_of(Dataset(features, rows), config(labels="none"), rejects))
    assert [example.label for example in unlabelled] == [None] * 4


def test_tags_of_a_dataset_get_their_names(rejects: Rejects) -> None:
    features = {"tokens": object(), "ner_tags": ListOf(ClassLabel(["O", "B-PER"]))}
    rows = [{"tokens": ["Peter", "runs"], "ner_tags": np.array([1, 0])}]
    (example,) = tagged_of(Dataset(features, rows), config(), rejects)
    assert (example.text, example.tags) == ("Peter runs", ("B-PER", "O"))
    (example,) = tagged_of([(["Peter", "runs"], ["B-PER", "O"])], config(), rejects)
    assert (example.words, example.tags) == (((0, 5), (6, 10)), ("B-PER", "O"))
    (example,) = tagged_of([(["Peter"],)], config(labels="none"), rejects)
    assert example.tags is None


def test_choices_and_questions(rejects: Rejects) -> None:
    (choice,) = choices_of([("t", ["a", "b"], 1)], config(), rejects)
    assert (choice.text, choice.choices, choice.label) == ("t", ("a", "b"), 1)
    answers = {"text": ["b"], "answer_start": [2]}
    rows = [{"question": "?", "context": "a b", "answers": answers, "id": "x", "title": "T"}]
    (question,) = questions_of(rows, config(), rejects)
    assert (question.id, question.answers) == ("x", (Answer("b", 2),))
    (question,) = questions_of([("?", "a b")], config(), rejects)
    assert (question.answers, question.is_impossible) == ((), False)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"train": [], "test": []}, r"data: is a dictionary \(train, test\); expected the rows"),
        ("text", "data: is str; expected a list of dicts or tuples"),
        (7, "data: is int; expected a list of dicts or tuples"),
        ([("a",) * 4], r"data:1: is a tuple of 4; expected a dict, or a tuple \(text\) or \(text,"),
        ([("a", "x"), 7], "data:2: is a int; expected a dict"),
    ],
)
def test_other_objects_are_refused(rejects: Rejects, rows: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        list(texts_of(rows, config(), rejects))


def test_no_rows_and_too_many_rejects_are_errors(rejects: Rejects) -> None:
    with pytest.raises(DataError, match="data: holds no examples"):
        list(texts_of([], config(), rejects))
    rows = [("", "x")] * 10 + [("a", "x")]
    with pytest.raises(DataError, match=r"10 of 11 records cannot be read \(10 empty text\)"):
        list(texts_of(rows, config(), rejects))
