"""What a fine-tuned model gets right and wrong, and how it learned, drawn for its folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.data.labelled.examples import QuestionExample
from unmask.recipe import charts
from unmask.recipe.charts import Bar
from unmask.tasks.classification import Classification
from unmask.tasks.embedding import Embedding
from unmask.tasks.metrics.calibration import reliability
from unmask.tasks.metrics.grading import QUESTION_TYPES, grade
from unmask.tasks.multiple_choice import MultipleChoice
from unmask.tasks.qa import QuestionAnswering
from unmask.tasks.reranking import Reranking
from unmask.tasks.tag_sets import given_tags, spelled
from unmask.tasks.tagging import Tagging
from unmask.tasks.targets.labels import names
from unmask.tasks.targets.number import Number
from unmask.tasks.targets.several_labels import SeveralLabels
from unmask.tasks.task import LabelledTask

_NUM_BINS = 10
"""Of a reliability diagram."""
_LENGTHS = ((1, 1), (2, 2), (3, 4), (5, 8), (9, None))
"""Words of an answer, from and to."""

CURVES, CONFUSION, RELIABILITY = "learning-curves.png", "confusion.png", "reliability.png"
LABELS, SCATTER, ANSWERS = "labels.png", "predicted-and-given.png", "answers.png"

Drawing = Callable[[Any, Sequence[Any], Sequence[Any], Path], list[Path]]


def draw(
    task: LabelledTask[Any, Any],
    examples: Sequence[Any],
    scores: Sequence[Any],
    metrics: Sequence[dict[str, Any]],
    metric: str,
    folder: Path,
) -> list[Path]:
    """Writes PNGs into the folder and gives their paths.

    `scores` are what the finished task gave of the labelled `examples`; `metrics` the lines of
    metrics.jsonl, `metric` the score by which the best weights were chosen. Classes have their
    confusion matrix and a reliability diagram, several labels what was found of each, numbers
    predicted against given ones, answers their F1 by kind of question and length; all have their
    learning curves, where any were logged.
    """
    drawn = _BY_TASK[type(task)](task, examples, scores, folder)
    losses, validated = curves(metrics, metric)
    if losses:
        charts.curves(losses, validated, metric, folder / CURVES)
        drawn.append(folder / CURVES)
    return drawn


def curves(
    metrics: Sequence[dict[str, Any]], metric: str
) -> tuple[dict[str, list[tuple[int, float]]], list[tuple[int, float]]]:
    """Each training loss and the validation score, as (step, value)."""
    losses: dict[str, list[tuple[int, float]]] = {}
    for line in metrics:
        for name, value in line.items():
            if name.endswith("_loss") and not name.startswith("validation_"):
                shown = f"{name.removesuffix('_loss')} loss"
                losses.setdefault(shown, []).append((line["step"], value))
    key = f"validation_{metric}"
    return losses, [(line["step"], line[key]) for line in metrics if key in line]


def _classification(
    task: Classification, examples: Sequence[Any], scores: Sequence[Any], folder: Path
) -> list[Path]:
    if isinstance(task.targets, Number):
        given = np.array([example.label for example in examples], np.float64)
        charts.scatter(given, np.concatenate(scores), folder / SCATTER)
        return [folder / SCATTER]
    answers = [task.decode(example, one) for example, one in zip(examples, scores, strict=True)]
    if isinstance(task.targets, SeveralLabels):
        found = [(set(names(e)), set(a["labels"])) for e, a in zip(examples, answers, strict=True)]
        charts.bars(_by_label(task.labels, found), "share", folder / LABELS)
        return [folder / LABELS]
    numbers = {name: i for i, name in enumerate(task.labels)}
    rows = np.array([numbers[str(example.label)] for example in examples])
    columns = np.array([numbers[answer["label"]] for answer in answers])
    counts = _counted(rows, columns, len(numbers))
    charts.confusion(counts, task.labels, "examples", folder / CONFUSION)
    probable = np.array([list(answer["scores"].values()) for answer in answers])
    return [folder / CONFUSION, _reliability(rows, probable, "examples", folder)]


def _by_label(
    labels: Sequence[str], found: Sequence[tuple[set[str], set[str]]]
) -> list[tuple[str, list[Bar]]]:
    """Recall and precision of the labels that examples have most often."""
    given = {name: sum(name in one for one, _ in found) for name in labels}
    shown = sorted(labels, key=lambda name: -given[name])[: charts.MOST_CLASSES]
    panels: tuple[list[Bar], list[Bar]] = ([], [])
    for name in shown:
        right = sum(name in one and name in other for one, other in found)
        predicted = sum(name in other for _, other in found)
        for panel, count in zip(panels, (given[name], predicted), strict=True):
            panel.append(Bar(name, right / max(1, count), count))
    return list(
        zip(
            ("recall (examples with the label)", "precision (given by the model)"),
            panels,
            strict=True,
        )
    )


def _choices(
    task: MultipleChoice, examples: Sequence[Any], scores: Sequence[Any], folder: Path
) -> list[Path]:
    most = max(len(example.choices) for example in examples)
    probable = np.zeros((len(examples), most))
    for row, example, one in zip(probable, examples, scores, strict=True):
        row[: len(example.choices)] = task.decode(example, one)["scores"]
    rows = np.array([example.label for example in examples])
    return [_reliability(rows, probable, "questions", folder)]


def _tagging(
    task: Tagging, examples: Sequence[Any], scores: Sequence[Any], folder: Path
) -> list[Path]:
    numbers = {tag: i for i, tag in enumerate(spelled(task.labels, task.scheme))}
    given: list[int] = []
    predicted: list[int] = []
    for example, one in zip(examples, scores, strict=True):
        given += [numbers[tag] for tag in spelled(given_tags(example), task.scheme)]
        for tag in task.decode(example, one)["tags"]:  # repair may write one without a number
            predicted.append(numbers.setdefault(tag, len(numbers)))
    counts = _counted(np.array(given), np.array(predicted), len(numbers))
    there = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    shown = [list(numbers)[i] for i in there]
    charts.confusion(counts[np.ix_(there, there)], shown, "words", folder / CONFUSION)
    probable = np.exp(np.concatenate(scores).astype(np.float64))
    return [folder / CONFUSION, _reliability(np.array(given), probable, "words", folder)]


def _questions(
    task: QuestionAnswering, examples: Sequence[Any], scores: Sequence[Any], folder: Path
) -> list[Path]:
    answers = {e.id: task.decode(e, s)["answer"] for e, s in zip(examples, scores, strict=True)}
    graded = grade(answers, examples)
    lengths = np.array([_length(example) for example in examples])
    types = np.array(graded.types)
    by_type = _grouped(graded.f1, {name: types == name for name in QUESTION_TYPES})
    by_length = {"no answer": lengths == 0}
    for first, last in _LENGTHS:
        name = f"{first} or more" if last is None else f"{first} to {last}"
        inside = (lengths >= first) & (lengths <= (last or lengths.max()))
        by_length[f"{first}" if first == last else name] = inside
    panels = [
        ("by what is asked (questions)", by_type),
        ("by words of the first answer (questions)", _grouped(graded.f1, by_length)),
    ]
    charts.bars(panels, "F1", folder / ANSWERS)
    return [folder / ANSWERS]


def _length(example: QuestionExample) -> int:
    return len(example.answers[0].text.split()) if example.answers else 0


def _grouped(values: NDArray[np.float64], groups: dict[str, NDArray[np.bool_]]) -> list[Bar]:
    """The mean of each group that has members."""
    return [
        Bar(name, float(values[chosen].mean()), int(chosen.sum()))
        for name, chosen in groups.items()
        if chosen.any()
    ]


def _counted(
    rows: NDArray[np.int64], columns: NDArray[np.int64], num_classes: int
) -> NDArray[np.int64]:
    counts = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(counts, (rows, columns), 1)
    return counts


def _reliability(
    rows: NDArray[np.int64], probable: NDArray[np.float64], unit: str, folder: Path
) -> Path:
    charts.reliability(reliability(rows, probable, _NUM_BINS), unit, folder / RELIABILITY)
    return folder / RELIABILITY


_BY_TASK: dict[type, Drawing] = {
    Classification: _classification,
    MultipleChoice: _choices,
    Tagging: _tagging,
    QuestionAnswering: _questions,
    Embedding: lambda *_: [],
    Reranking: lambda *_: [],
}
