"""Reports on answers: the official script's figures, in 0..1 where it prints percent.

Source: Rajpurkar et al. 2018, section 5; `evaluate-v2.0.py`. SQuAD 1.1's script gives the same
`exact` and `f1` (see `grading` for the one difference).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from unmask.tasks.metrics.counts import Floats, quotient
from unmask.tasks.metrics.grading import QUESTION_TYPES, Graded, Question, grade
from unmask.tasks.metrics.no_answer import best_threshold
from unmask.tasks.metrics.resampling import Bootstrap, Interval, sum_intervals


def scores(
    predictions: Mapping[str, str],
    examples: Iterable[Question],
    no_answer_scores: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """The official script's report: means over all questions, with answer and without.

    `exact`, `f1` and `total` (a count); the same as `HasAns_...` and `NoAns_...` for the kinds of
    question that occur. With `no_answer_scores` by id, the higher the likelier there is no answer,
    also `best_exact`, `best_exact_thresh`, `best_f1` and `best_f1_thresh`: what these predictions
    could score if those whose score exceeds a threshold were emptied, and that threshold. It is
    tuned on the very questions it is scored on: on a test set use `no_answer.best_threshold` of
    validation questions.

    >>> from types import SimpleNamespace as Example
    >>> answer = Example(text="the Nile")
    >>> questions = [Example(id="1", question="Which river?", answers=[answer])]
    >>> found = scores({"1": "Blue Nile"}, questions)
    >>> found["exact"], round(found["f1"], 3), found["HasAns_total"]
    (0.0, 0.667, 1.0)

    Raises:
        DataError: No questions, two with one id, or one without prediction or score.
    """
    graded = grade(predictions, examples)
    found = _means(graded, "", np.ones(len(graded.ids), dtype=bool))
    found |= _means(graded, "HasAns_", graded.has_answer)
    found |= _means(graded, "NoAns_", ~graded.has_answer)
    if no_answer_scores is not None:
        for metric in ("exact", "f1"):
            best = best_threshold(graded, no_answer_scores, metric)
            found[f"best_{metric}"] = best.value
            found[f"best_{metric}_thresh"] = best.threshold
    return found


def by_type(graded: Graded) -> dict[str, dict[str, float]]:
    """`exact`, `f1` and `total` (a count) for each type of question that occurs."""
    types = np.array(graded.types)
    return {name: _means(graded, "", types == name) for name in QUESTION_TYPES if name in types}


def score_intervals(graded: Graded, bootstrap: Bootstrap) -> dict[str, Interval]:
    """`exact` and `f1` with their intervals: of all questions, as `HasAns_...` and `NoAns_...`, and
    as `.../TYPE` of each type of question.

    A resample without questions of a kind does not count for that kind.

    Raises:
        DataError: No questions.
    """
    types = np.array(graded.types)
    members = {"{}": np.ones(len(graded.ids), dtype=np.bool_)}
    members |= {"HasAns_{}": graded.has_answer, "NoAns_{}": ~graded.has_answer}
    members |= {f"{{}}/{name}": types == name for name in QUESTION_TYPES if name in types}
    kinds = np.stack(list(members.values()), axis=1).astype(np.float64)  # (questions, K)
    parts = (kinds, kinds * graded.exact[:, None], kinds * graded.f1[:, None])

    def figures(sums: Floats) -> dict[str, Floats]:
        total, *found = np.split(sums, 3, axis=1)  # (R, K) each
        return {
            pattern.format(metric): np.where(
                total[:, i] > 0, quotient(points[:, i], total[:, i]), np.nan
            )
            for metric, points in zip(("exact", "f1"), found, strict=True)
            for i, pattern in enumerate(members)
        }

    return sum_intervals(np.concatenate(parts, axis=1), figures, bootstrap)


def _means(graded: Graded, prefix: str, chosen: NDArray[np.bool_]) -> dict[str, float]:
    if not chosen.any():
        return {}
    return {
        f"{prefix}exact": float(graded.exact[chosen].mean()),
        f"{prefix}f1": float(graded.f1[chosen].mean()),
        f"{prefix}total": float(chosen.sum()),
    }
