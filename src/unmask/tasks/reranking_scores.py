"""How good scores of queries with documents are: by the order, by classes, or by the grades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from unmask.data.labelled.examples import RankedExample
from unmask.errors import DataError
from unmask.tasks.metrics import pair_classification, regression, reranking
from unmask.tasks.metrics.resampling import Bootstrap, Interval
from unmask.tasks.reranking_grades import Floats, grades_of, has_order

Examples = Sequence[RankedExample]
_OF_PAIRS = ("ap", "accuracy", "f1")
_OF_GRADES = ("spearman", "pearson")
_COUNTED = {"num_q": "queries_total", "num_q_left_out": "queries_left_out_total"}
_T = TypeVar("_T")


def metric_of(examples: Examples) -> str:
    """The score by which the best weights are chosen, higher is better.

    nDCG at 10 where half of the queries or more have documents that are relevant and some that are
    not; else the average precision over all pairs of grades 0 and 1, or Spearman's correlation.

    Raises:
        DataError: All documents are graded alike.
    """
    graded = [grades_of(example) for example in examples]
    _require_difference(graded)
    if _are_lists(graded):
        return "ndcg@10"
    return "ap" if _are_binary(graded) else "spearman"


def score(examples: Examples, scores: Sequence[Floats]) -> dict[str, float]:
    """All that the grades tell; nothing where all are alike.

    `map`, `mrr@10` and `ndcg@10` over queries with relevant documents and others, by
    `metrics.reranking`. Where these are less than half of the queries, over all pairs `ap`,
    `accuracy` and `f1` at their best thresholds by `metrics.pair_classification` if grades are 0
    and 1, else `spearman` and `pearson`.
    """
    graded = [grades_of(example) for example in examples]
    found: dict[str, float] = {}
    if not has_order(np.concatenate(graded)):
        return found
    if _are_relevances(graded) and any(map(_is_judged, graded)):
        ranked = reranking.scores(graded, scores)
        found |= {_COUNTED.get(name, name): value for name, value in ranked.items()}
    if _are_lists(graded):
        return found
    pairs = np.concatenate(graded), np.concatenate(scores)
    if _are_binary(graded):
        return found | _some(pair_classification.scores(*pairs), _OF_PAIRS)
    return found | _some(regression.scores(*pairs), _OF_GRADES)


def intervals(
    examples: Examples, scores: Sequence[Floats], bootstrap: Bootstrap
) -> dict[str, Interval]:
    """The same with bootstrap confidence intervals, over queries or over pairs.

    Raises:
        DataError: All documents are graded alike.
    """
    graded = [grades_of(example) for example in examples]
    _require_difference(graded)
    found: dict[str, Interval] = {}
    if _are_relevances(graded) and any(map(_is_judged, graded)):
        found |= reranking.score_intervals(graded, scores, bootstrap)
    if _are_lists(graded):
        return found
    pairs = np.concatenate(graded), np.concatenate(scores)
    if _are_binary(graded):
        return found | _some(pair_classification.score_intervals(*pairs, bootstrap), _OF_PAIRS)
    return found | _some(regression.score_intervals(*pairs, bootstrap), _OF_GRADES)


def _some(found: Mapping[str, _T], names: Sequence[str]) -> dict[str, _T]:
    return {name: found[name] for name in names if name in found}


def _require_difference(graded: Sequence[Floats]) -> None:
    """Raises DataError where no order of the documents is better than another."""
    if graded and not has_order(np.concatenate(graded)):
        raise DataError(
            f"all documents of all {len(graded)} queries are graded {graded[0][0]:g}, so that no "
            "order of them is better than another; expected relevant documents and others. `unmask "
            "mine` finds others."
        )


def _are_lists(graded: Sequence[Floats]) -> bool:
    """Whether most queries have an order to be judged by."""
    return _are_relevances(graded) and 2 * sum(map(_is_judged, graded)) >= len(graded)


def _is_judged(grades: Floats) -> bool:
    """Whether some documents are relevant, and some are not."""
    return bool((grades > 0).any() and not (grades > 0).all())


def _are_relevances(graded: Sequence[Floats]) -> bool:
    """Whether 0 means not relevant, and more is better."""
    return all((grades >= 0).all() for grades in graded)


def _are_binary(graded: Sequence[Floats]) -> bool:
    return all(((grades == 0) | (grades == 1)).all() for grades in graded)
