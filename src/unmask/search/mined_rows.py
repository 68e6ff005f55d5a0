"""Mined negatives in the forms that training reads, ours and sentence-transformers'."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from unmask.search.comparing_config import MiningConfig
from unmask.search.mine import Mined

Row = dict[str, Any]


def rows(found: Iterable[Mined], config: MiningConfig) -> Iterator[Row]:
    """The rows of a training file; anchors without negatives give none, or only their positives.

    | format | columns | rows |
    |---|---|---|
    | triplet | anchor, positive, negative | for each positive each negative |
    | n-tuple | anchor, positive, negative_1, ... | each positive, if all negatives were found |
    | labeled-pair | query, document, label | each positive, label 1, and each negative, label 0 |
    | labeled-list | query, documents, labels | each positive with all negatives |

    With `scores`, the first two have a list of them in `scores`, the positive's first; in the last
    two `score` and `scores` take the place of the labels.
    """
    make = {
        "triplet": _triplets,
        "n-tuple": _tuples,
        "labeled-pair": _pairs,
        "labeled-list": _lists,
    }[config.format]
    for one in found:
        yield from make(one, config)


def _triplets(one: Mined, config: MiningConfig) -> Iterator[Row]:
    for positive, score in zip(one.positives, one.positive_scores, strict=True):
        for negative, other in zip(one.negatives, one.negative_scores, strict=True):
            row: Row = {"anchor": one.anchor, "positive": positive, "negative": negative}
            yield row | ({"scores": [score, other]} if config.scores else {})


def _tuples(one: Mined, config: MiningConfig) -> Iterator[Row]:
    if len(one.negatives) < config.num_negatives:
        return
    negatives = {f"negative_{number}": text for number, text in enumerate(one.negatives, 1)}
    for positive, score in zip(one.positives, one.positive_scores, strict=True):
        row: Row = {"anchor": one.anchor, "positive": positive, **negatives}
        yield row | ({"scores": [score, *one.negative_scores]} if config.scores else {})


def _pairs(one: Mined, config: MiningConfig) -> Iterator[Row]:
    for texts, scores, label in (
        (one.positives, one.positive_scores, 1),
        (one.negatives, one.negative_scores, 0),
    ):
        for text, score in zip(texts, scores, strict=True):
            judged = {"score": score} if config.scores else {"label": label}
            yield {"query": one.anchor, "document": text, **judged}


def _lists(one: Mined, config: MiningConfig) -> Iterator[Row]:
    if not one.negatives:
        return
    for positive, score in zip(one.positives, one.positive_scores, strict=True):
        row: Row = {"query": one.anchor, "documents": [positive, *one.negatives]}
        if config.scores:
            yield row | {"scores": [score, *one.negative_scores]}
        else:
            yield row | {"labels": [1, *(0 for _ in one.negatives)]}
