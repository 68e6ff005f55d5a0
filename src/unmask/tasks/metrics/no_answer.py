"""When to say nothing: the threshold on a no-answer score, as SQuAD 2.0 tunes it.

It is fitted on validation questions, with and without answer, that the model was not trained on and
that no figure is reported on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from unmask.errors import DataError
from unmask.tasks.metrics.checks import as_floats
from unmask.tasks.metrics.grading import Graded


@dataclass(frozen=True)
class Best:
    """The most that a threshold can make of graded predictions."""

    value: float
    """The mean score, in 0..1, with that threshold."""
    threshold: float
    """A prediction whose no-answer score is greater is emptied."""


def best_threshold(
    graded: Graded, no_answer_scores: Mapping[str, float], metric: Literal["exact", "f1"]
) -> Best:
    """The threshold on the no-answer score with the highest mean `exact` or `f1`.

    `graded` are predictions before any threshold, as full of text as the model gives; the scores
    are by id, the higher the likelier there is no answer. Of equally good thresholds it is the
    lowest. Source: `find_best_thresh` of SQuAD's `evaluate-v2.0.py`, with two deviations: questions
    of equal score stay together, since no threshold parts them; and where it is best to answer
    nothing, the threshold is 0, as there, only if all scores exceed 0, else just below the lowest.

    Raises:
        DataError: A question without a score, or one that is not finite.
    """
    missing = [name for name in graded.ids if name not in no_answer_scores]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(graded.ids)} questions have no no-answer score, the first is "
            f"`{missing[0]}`; expected a number for each."
        )
    values = as_floats("no_answer_scores", [no_answer_scores[name] for name in graded.ids], 1)
    points = graded.exact if metric == "exact" else graded.f1
    # What changes when a question that was left empty is answered.
    gained = np.where(graded.has_answer, points, -1.0 * graded.is_answered)
    order = np.argsort(values, kind="stable")
    is_last = np.append(np.diff(values[order]) != 0, True)  # of those that tie
    limits = values[order][is_last]
    nothing = 0.0 if limits[0] > 0 else float(np.nextafter(limits[0], -np.inf))
    totals = np.append(0.0, np.cumsum(gained[order])[is_last]) + (~graded.has_answer).sum()
    best = int(totals.argmax())
    return Best(
        value=float(totals[best] / len(values)),
        threshold=float(limits[best - 1]) if best else nothing,
    )


def with_threshold(
    predictions: Mapping[str, str], no_answer_scores: Mapping[str, float], threshold: float
) -> dict[str, str]:
    """The predictions, empty where the no-answer score exceeds the threshold.

    >>> with_threshold({"1": "Paris", "2": "Rome"}, {"1": 0.2, "2": 0.9}, 0.5)
    {'1': 'Paris', '2': ''}
    """
    return {
        name: "" if no_answer_scores[name] > threshold else text
        for name, text in predictions.items()
    }
