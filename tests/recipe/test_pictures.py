from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmask.data.labelled.examples import (
    Answer,
    ChoiceExample,
    QuestionExample,
    TaggedExample,
    TextExample,
)
from unmask.recipe import charts, pictures
from unmask.recipe.pictures import curves, draw
from unmask.tasks.qa_spans import SpanScores
from unmask.tasks.registry import TASKS

METRICS = [
    {"step": 10, "classification_loss": 0.7, "tokens_per_second": 100.0},
    {"step": 20, "classification_loss": 0.4},
    {"step": 20, "validation_accuracy": 0.8, "validation_log_loss": 0.5},
]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Any, ...]]:
    """What each chart was asked to show; it is drawn nonetheless."""
    calls: dict[str, tuple[Any, ...]] = {}

    def listening(name: str, chart: Callable[..., None]) -> Callable[..., None]:
        def call(*given: Any) -> None:
            calls[name] = given
            chart(*given)

        return call

    for name in ("confusion", "reliability", "scatter", "bars", "curves"):
        monkeypatch.setattr(charts, name, listening(name, getattr(charts, name)))
    return calls


def begun(name: str, examples: list[Any], **settings: Any) -> Any:
    kind = TASKS[name]
    return kind.begin(kind.config.model_validate(settings), examples)


def texts(*labels: Any) -> list[TextExample]:
    return [TextExample(str(i), "text", None, one, None, "t:1") for i, one in enumerate(labels)]


def names_of(paths: list[Path]) -> list[str]:
    assert all(path.is_file() for path in paths)
    return [path.name for path in paths]


def test_one_label_is_drawn_by_what_is_taken_for_what(
    tmp_path: Path, told: dict[str, tuple[Any, ...]]
) -> None:
    examples = texts("no", "no", "yes", "yes")
    scores = [np.array(row) for row in ([2.0, 0.0], [0.0, 2.0], [0.0, 1.0], [0.0, 3.0])]

    found = draw(begun("classification", examples), examples, scores, METRICS, "accuracy", tmp_path)

    assert names_of(found) == [pictures.CONFUSION, pictures.RELIABILITY, pictures.CURVES]
    counts, names, unit, _ = told["confusion"]
    assert counts.tolist() == [[1, 1], [0, 2]]
    assert (names, unit) == (("no", "yes"), "examples")
    assert told["reliability"][0].count.sum() == 4
    assert told["curves"][0] == {"classification loss": [(10, 0.7), (20, 0.4)]}
    assert told["curves"][1:3] == ([(20, 0.8)], "accuracy")


def test_the_diagram_shows_probabilities_at_the_fitted_temperature(
    tmp_path: Path, told: dict[str, tuple[Any, ...]]
) -> None:
    examples = texts("no", "yes") * 10
    task = begun("classification", examples)
    scores = [np.array([9.0, 0.0])] * 20  # quite sure, and right every other time

    draw(task.tuned(examples, scores), examples, scores, [], "accuracy", tmp_path)

    assert told["reliability"][0].expected_calibration_error < 0.15


def test_several_labels_are_drawn_with_their_recall_and_precision(
    tmp_path: Path, told: dict[str, tuple[Any, ...]]
) -> None:
    examples = texts(("a", "b"), ("a",), ("a",), ())
    scores = [np.array(row) for row in ([1.0, -1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0])]

    task = begun("classification", examples, kind="multi")
    found = draw(task, examples, scores, [], "f1_macro", tmp_path)

    assert names_of(found) == [pictures.LABELS]
    (_, recall), (_, precision) = told["bars"][0]
    assert [(bar.name, bar.count) for bar in recall] == [("a", 3), ("b", 1)]
    assert [bar.value for bar in recall] == pytest.approx([2 / 3, 0.0])
    assert [(bar.value, bar.count) for bar in precision] == [(pytest.approx(2 / 3), 3), (0.0, 1)]


def test_numbers_are_drawn_against_those_given(
    tmp_path: Path, told: dict[str, tuple[Any, ...]]
) -> None:
    examples = texts(1.0, 4.5)
    task = begun("classification", examples, kind="regression")

    found = draw(task, examples, [np.array([1.5]), np.array([4.0])], [], "spearman", tmp_path)

    assert names_of(found) == [pictures.SCATTER]
    assert [part.tolist() for part in told["scatter"][:2]] == [[1.0, 4.5], [1.5, 4.0]]


def test_choices_are_drawn_by_how_sure_they_are(
    tmp_path: Path, told: dict[str, tuple[Any, ...]]
) -> None:
    examples = [
        ChoiceExample("0", "text", ("a", "b"), 0, "t:1"),
        ChoiceExample("1", "text", ("a", "b", "c"), 2, "t:2"),
    ]
    task = begun("multiple-choice", examples[:1])

    found = draw(
        task, examples, [np.array([3.0, 0.0]), np.array([0.0, 3.0, 0.0])], [], "accuracy", tmp_path
    )

    assert names_of(found) == [pictures.RELIABILITY]
    assert told["reliability"][0].accuracy.tolist()[-1] == 0.5


def test_tags_are_drawn_word_by_word_without_those_that_never_occur(
    tmp_path: Path, told: dict[str, tuple[Any, ...]]
) -> None:
    examples = [TaggedExample("0", "a b c", ((0, 1), (2, 3), (4, 5)), ("B-X", "I-X", "O"), "t:1")]
    training = [*examples, TaggedExample("1", "d", ((0, 1),), ("B-Y",), "t:2")]
    task = begun("tagging", training)
    assert task.labels == ("O", "B-X", "I-X", "B-Y", "I-Y")
    rows = np.log(np.full((3, 5), 0.05) + 0.75 * np.eye(5)[[1, 0, 0]]).astype(np.float32)

    found = draw(task, examples, [rows], [], "f1", tmp_path)

    assert names_of(found) == [pictures.CONFUSION, pictures.RELIABILITY]
    counts, names, unit, _ = told["confusion"]
    assert (list(names), unit) == (["O", "B-X", "I-X"], "words")
    assert counts.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]


def test_a_repaired_tag_without_a_number_has_its_column(
    tmp_path: Path, told: dict[str, tuple[Any, ...]]
) -> None:
    example = TaggedExample("0", "a b", ((0, 1), (2, 3)), ("I-X", "O"), "t:1")
    task = begun("tagging", [example], scheme="iob1", decoding="repair")
    foreign = type(task)(task.config, ("O", "I-X"), "iob2")
    rows = np.log([[0.1, 0.9], [0.9, 0.1]]).astype(np.float32)

    draw(foreign, [example], [rows], [], "f1", tmp_path)

    counts, names, *_ = told["confusion"]
    assert list(names) == ["O", "I-X", "B-X"]
    assert counts[1].tolist() == [0, 0, 1]


def test_answers_are_drawn_by_what_is_asked_and_by_their_length(
    tmp_path: Path, told: dict[str, tuple[Any, ...]]
) -> None:
    context = "The river Nile flows north"

    def asked(i: int, question: str, answer: str | None) -> QuestionExample:
        answers = () if answer is None else (Answer(answer, context.index(answer)),)
        return QuestionExample(str(i), question, context, answers, answer is None, None, "t:1")

    examples = [
        asked(0, "Which river?", "Nile"),
        asked(1, "What flows?", "The river Nile"),
        asked(2, "Who flows?", None),
    ]
    nile, nothing = np.array([[10, 14]]), np.zeros((0, 2), np.int64)
    scores = [
        SpanScores(nile, np.array([5.0]), 0.0),
        SpanScores(nile, np.array([5.0]), 0.0),
        SpanScores(nothing, np.zeros(0), 0.0),
    ]

    found = draw(begun("qa", examples), examples, scores, [], "f1", tmp_path)

    assert names_of(found) == [pictures.ANSWERS]
    (_, by_type), (_, by_length) = told["bars"][0]
    assert [(bar.name, bar.count) for bar in by_type] == [("what", 1), ("who", 1), ("which", 1)]
    assert [bar.name for bar in by_length] == ["no answer", "1", "3 to 4"]
    assert [bar.value for bar in by_length] == pytest.approx([1.0, 1.0, 2 / 3])


def test_every_training_loss_has_its_curve_and_no_other_number() -> None:
    metrics = [
        {"step": 1, "start_loss": 2.0, "end_loss": 3.0, "progress": 0.1},
        {"step": 1, "validation_f1": 0.5, "validation_some_loss": 9.0},
        {"step": 2, "start_loss": 1.0, "end_loss": 2.0},
    ]

    assert curves(metrics, "f1") == (
        {"start loss": [(1, 2.0), (2, 1.0)], "end loss": [(1, 3.0), (2, 2.0)]},
        [(1, 0.5)],
    )
    assert curves([], "f1") == ({}, [])
