"""How good vectors of labelled examples are: by their scores, or by finding the positive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from unmask.data.labelled.sentences import EmbeddingExample
from unmask.errors import DataError
from unmask.tasks.metrics.resampling import Bootstrap, Interval
from unmask.tasks.metrics.resampling import intervals as resampled

Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]


def metric_of(examples: Sequence[EmbeddingExample]) -> str:
    """The score by which the best weights are chosen, higher is better."""
    return "spearman_cosine" if _are_scored(examples) else "mrr@10"


def cosines(a: Vectors, b: Vectors) -> Floats:
    """(N, E) and (N, E) to (N,); a vector of zeros is like none."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    products = np.einsum("ne,ne->n", a, b, dtype=np.float64)
    found: Floats = products / np.maximum(lengths, 1e-12)
    return found


def score(examples: Sequence[EmbeddingExample], scores: Sequence[Vectors]) -> dict[str, float]:
    """`spearman_cosine` and `pearson_cosine` where examples have scores, else of retrieval.

    Raises:
        DataError: Single texts, of which nothing can be told.
    """
    if _are_scored(examples):
        found, wanted = _judged(examples, scores)
        return {name: float(values[0]) for name, values in _correlated(found, wanted).items()}
    ranks = _ranks(examples, scores)
    return {name: float(values.mean()) for name, values in _of_ranks(ranks).items()}


def intervals(
    examples: Sequence[EmbeddingExample], scores: Sequence[Vectors], bootstrap: Bootstrap
) -> dict[str, Interval]:
    """The same with bootstrap confidence intervals, over pairs or over anchors."""
    if _are_scored(examples):
        found, wanted = _judged(examples, scores)
        return resampled(
            len(found), lambda places: _correlated(found[places], wanted[places]), bootstrap
        )
    values = _of_ranks(_ranks(examples, scores))
    return resampled(
        len(examples),
        lambda places: {name: one[places].mean(axis=1) for name, one in values.items()},
        bootstrap,
    )


def _are_scored(examples: Sequence[EmbeddingExample]) -> bool:
    return bool(examples) and all(
        len(example.texts) == 2 and _value(example) is not None for example in examples
    )


def _value(example: EmbeddingExample) -> float | None:
    """A score as a number; the classes of inference in their order."""
    if isinstance(example.label, tuple):
        return None
    if str(example.label).lower() in _ORDER:
        return _ORDER[str(example.label).lower()]
    try:
        return float(example.label)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


_ORDER = {"contradiction": 0.0, "neutral": 0.5, "entailment": 1.0}
"""How alike two sentences are that stand so to each other."""


def _judged(
    examples: Sequence[EmbeddingExample], scores: Sequence[Vectors]
) -> tuple[Floats, Floats]:
    """(B,) cosines and the scores that they should follow."""
    stacked = np.stack(scores)  # (B, 2, E)
    wanted = np.array([_value(example) for example in examples], dtype=np.float64)
    return cosines(stacked[:, 0], stacked[:, 1]), wanted


def _correlated(found: Floats, wanted: Floats) -> dict[str, Floats]:
    """Of rows (R, B), or of one (B,); NaN where a row is all equal."""
    found, wanted = np.atleast_2d(found), np.atleast_2d(wanted)
    ranked = rankdata(found, axis=1), rankdata(wanted, axis=1)
    return {
        "spearman_cosine": _pearson(*ranked),
        "pearson_cosine": _pearson(found, wanted),
    }


def _pearson(a: Floats, b: Floats) -> Floats:
    a = a - a.mean(axis=1, keepdims=True)
    b = b - b.mean(axis=1, keepdims=True)
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(norm > 0, (a * b).sum(axis=1) / norm, np.nan)
    return found


def _ranks(examples: Sequence[EmbeddingExample], scores: Sequence[Vectors]) -> Floats:
    """(B,) at which place, from 1, each anchor's positive stands among all other texts.

    A text that equals the anchor or the positive is no competitor; of equal cosines the positive
    comes last.

    Raises:
        DataError: Examples of one text.
    """
    if any(len(example.texts) < 2 for example in examples):
        raise DataError(
            "single texts tell nothing of how good their vectors are: name a file of pairs with "
            "scores, or with positives, by --validation."
        )
    numbers: dict[str, int] = {}
    rows: list[Vectors] = []
    for example, vectors in zip(examples, scores, strict=True):
        for text, vector in zip(example.texts[1:], vectors[1:], strict=True):
            if text not in numbers:
                numbers[text] = len(rows)
                rows.append(vector)
    corpus = _normalised(np.stack(rows))
    ranks = np.empty(len(examples))
    for start in range(0, len(examples), _AT_ONCE):
        some = examples[start : start + _AT_ONCE]
        anchors = _normalised(
            np.stack([vectors[0] for vectors in scores[start : start + len(some)]])
        )
        similarities = anchors @ corpus.T
        for i, example in enumerate(some):
            positive = numbers[example.texts[1]]
            others = similarities[i] >= similarities[i, positive]
            others[positive] = False
            if (same := numbers.get(example.texts[0])) is not None:
                others[same] = False
            ranks[start + i] = 1 + int(others.sum())
    return ranks


_AT_ONCE = 1024
"""Anchors compared with all texts together."""


def _normalised(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: Vectors = vectors / np.maximum(lengths, np.float32(1e-12))
    return found


def _of_ranks(ranks: Floats) -> dict[str, Floats]:
    """Of each anchor, what its positive's rank is worth."""
    return {
        "mrr@10": np.where(ranks <= 10, 1 / ranks, 0.0),
        "accuracy@1": (ranks <= 1).astype(np.float64),
        "accuracy@10": (ranks <= 10).astype(np.float64),
    }
