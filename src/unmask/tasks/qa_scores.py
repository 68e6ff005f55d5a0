"""How good answers are: SQuAD's figures, by type of question too, and the threshold to tune."""

from __future__ import annotations

import math
from collections.abc import Sequence

from unmask.data.labelled.examples import QuestionExample
from unmask.errors import DataError
from unmask.tasks.metrics import squad
from unmask.tasks.metrics.grading import Graded, grade
from unmask.tasks.metrics.no_answer import Best, best_threshold
from unmask.tasks.qa_spans import SpanScores

ALWAYS = math.inf
"""The threshold of a model that gives an answer to every question."""

Examples = Sequence[QuestionExample]
Scores = Sequence[SpanScores]


def predictions(examples: Examples, scores: Scores, threshold: float) -> dict[str, str]:
    """Each question's answer by its id, empty for none."""
    return {
        example.id: _best(example, one) if one.is_answer(threshold) else ""
        for example, one in zip(examples, scores, strict=True)
    }


def graded(examples: Examples, scores: Scores, threshold: float) -> Graded:
    """Each answer by itself.

    Raises:
        DataError: A question whose answers are not known, or two with the same id.
    """
    for example in examples:
        require_known(example)
    return grade(predictions(examples, scores, threshold), examples)


def report(examples: Examples, scores: Scores, threshold: float) -> dict[str, float]:
    """See `metrics.squad`; also `exact/TYPE`, `f1/TYPE` and `total/TYPE` by type of question.

    The `best_...` are what the best threshold for these very questions would give.
    """
    by_type = squad.by_type(graded(examples, scores, threshold))
    found = squad.scores(predictions(examples, scores, threshold), examples)
    if threshold != ALWAYS:
        every = graded(examples, scores, ALWAYS)
        odds = _null_odds(examples, scores)
        for metric, best in (
            ("exact", best_threshold(every, odds, "exact")),
            ("f1", best_threshold(every, odds, "f1")),
        ):
            found |= {f"best_{metric}": best.value, f"best_{metric}_thresh": best.threshold}
    for kind, figures in by_type.items():
        found |= {f"{metric}/{kind}": value for metric, value in figures.items()}
    return found


def tuned_threshold(examples: Examples, scores: Scores) -> Best:
    """The threshold with the best F1."""
    every = graded(examples, scores, ALWAYS)
    return best_threshold(every, _null_odds(examples, scores), "f1")


def require_known(example: QuestionExample) -> None:
    """Whether the context answers the question has to be known.

    Raises:
        DataError: It is not.
    """
    if not example.answers and not example.is_impossible:
        raise DataError(
            f"{example.place}: has no answer and does not say that it is impossible; expected "
            "`answers`, or `is_impossible` as in SQuAD 2.0."
        )


def _best(example: QuestionExample, scores: SpanScores) -> str:
    start, end = scores.spans[0].tolist()
    return example.context[start:end]


def _null_odds(examples: Examples, scores: Scores) -> dict[str, float]:
    return {example.id: one.null_odds for example, one in zip(examples, scores, strict=True)}
