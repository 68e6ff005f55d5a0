"""How good vectors of labelled examples are: by their labels, or by finding the positive."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from unmask.data.labelled.examples import EmbeddingExample
from unmask.errors import DataError, UsageError
from unmask.tasks.embedding_labels import refuse_strays
from unmask.tasks.metrics import pair_classification, retrieval, separation, similarity
from unmask.tasks.metrics.exact import Nearest, as_run, nearest
from unmask.tasks.metrics.resampling import Bootstrap, Interval
from unmask.tasks.sentence_config import Similarity

Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]
_CUTOFFS = (1, 10)
_MORE = 2
"""Texts found beyond the cutoff, for an anchor may find itself."""
_ORDER = {"contradiction": 0.0, "neutral": 0.5, "entailment": 1.0}
"""How alike two sentences are that stand so to each other."""


def metric_of(
    examples: Sequence[EmbeddingExample],
    by: Similarity = "cosine",
    classes: Collection[str] = (),
) -> str:
    """The score by which the best weights are chosen, higher is better; `classes` as in `score`."""
    return {
        "scores": f"spearman_{by}",
        "classes": f"{by}_ap",
        "names": f"{by}_{separation.NAME}",
        "positives": "mrr@10",
    }[_kind(examples, classes)]


def score(
    examples: Sequence[EmbeddingExample],
    vectors: Sequence[Vectors],
    by: Similarity,
    classes: Collection[str] = (),
) -> dict[str, float]:
    """Of pairs with scores how similarities follow them; with 0 and 1 how they tell them apart, and
    other classes likewise; without labels how often an anchor finds its positive among all texts.
    Beside a teacher's vectors, how similarities of one example and the next follow the teacher's.

    `classes` are labels that were learned as names of classes: 0, 1 and 2 among them are codes, and
    have no order.

    Raises:
        DataError: Single texts, of which nothing can be told, or a label that is no number where
            most are.
    """
    kind = _kind(examples, classes)
    if kind == "positives":
        qrels, run = _retrieved(examples, vectors, by)
        found = retrieval.scores(qrels, run, _CUTOFFS, convention="sentence-transformers")
        return {name: value for name, value in found.items() if "@" in name}
    if kind == "names":
        return {f"{by}_{separation.NAME}": separation.score(*_named(examples, vectors, by))}
    one, other, wanted = _judged(examples, vectors)
    if kind == "classes":
        return pair_classification.embedding_scores(one, other, wanted.astype(int), [by])
    return similarity.scores(one, other, wanted, [by])


def intervals(
    examples: Sequence[EmbeddingExample],
    vectors: Sequence[Vectors],
    by: Similarity,
    bootstrap: Bootstrap,
    classes: Collection[str] = (),
) -> dict[str, Interval]:
    """The same with bootstrap confidence intervals, over pairs or over anchors."""
    kind = _kind(examples, classes)
    if kind == "positives":
        found = retrieval.score_intervals(
            *_retrieved(examples, vectors, by),
            bootstrap,
            _CUTOFFS,
            convention="sentence-transformers",
        )
        return {name: one for name, one in found.items() if "@" in name}
    if kind == "names":
        told = separation.score_intervals(*_named(examples, vectors, by), bootstrap)
        return {f"{by}_{name}": interval for name, interval in told.items()}
    one, other, wanted = _judged(examples, vectors)
    if kind == "classes":
        told = pair_classification.score_intervals(
            wanted.astype(int), similarity.pairwise(one, other, by), bootstrap
        )
        return {f"{by}_{name}": interval for name, interval in told.items()}
    return similarity.score_intervals(one, other, wanted, bootstrap, [by])


def correlation(one: Vectors, other: Vectors, wanted: Sequence[float]) -> float:
    """Spearman's, of the cosines of (N, E) pairs with N scores."""
    return similarity.scores(one, other, wanted, ["cosine"])["spearman_cosine"]


def nearest_by(by: Similarity, queries: Vectors, corpus: Vectors, k: int) -> Nearest:
    """As `exact.nearest`, by any similarity that products can rank.

    The squared distance to a query is, but for what all have in common, d d - 2 q d: the product of
    (2 q, -1) and (d, d d), made negative.

    Raises:
        UsageError: Manhattan distances, which are no products.
    """
    if by == "manhattan":
        raise UsageError("similarity: retrieval by manhattan distance is not measured here.")
    if by in ("cosine", "dot"):
        return nearest(queries, corpus, k, similarity=by)
    ones = np.full((len(queries), 1), -1.0, dtype=np.float32)
    squares = np.einsum("nd,nd->n", corpus, corpus)[:, None]
    wide = np.concatenate([2 * queries, ones], axis=1), np.concatenate([corpus, squares], axis=1)
    return nearest(*wide, k, similarity="dot")


def _kind(examples: Sequence[EmbeddingExample], classes: Collection[str]) -> str:
    """By what they can be judged."""
    if examples and all(_teachers(example) for example in examples):
        return "scores"
    labels = {str(example.label) for example in examples}
    has_order = all(label.lower() in _ORDER for label in labels)
    if labels <= set(classes) and not has_order and all(map(_is_classed, examples)):
        return "names"
    refuse_strays(examples)
    values = [_value(example) for example in examples]
    if not values or any(value is None for value in values):
        return "names" if examples and all(map(_is_classed, examples)) else "positives"
    return "classes" if {value for value in values if value is not None} <= {0.0, 1.0} else "scores"


def _is_classed(example: EmbeddingExample) -> bool:
    """Whether it is a pair with one label."""
    return len(example.texts) == 2 and isinstance(example.label, str | int | float)


def _teachers(example: EmbeddingExample) -> tuple[float, ...]:
    """The teacher's vector, if the label is one: longer than a score for each text."""
    label = example.label
    return label if isinstance(label, tuple) and len(label) > len(example.texts) else ()


def _value(example: EmbeddingExample) -> float | None:
    """A pair's score as a number; the classes of inference in their order."""
    if len(example.texts) != 2 or isinstance(example.label, tuple):
        return None
    if (value := _ORDER.get(str(example.label).lower())) is not None:
        return value
    try:
        return float(example.label)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _judged(
    examples: Sequence[EmbeddingExample], vectors: Sequence[Vectors]
) -> tuple[Vectors, Vectors, Floats]:
    """(B, E) of either text, and the (B,) scores that their similarities should follow.

    Raises:
        DataError: A teacher's vectors that differ in length.
    """
    taught = [_teachers(example) for example in examples]
    if all(taught):
        for example, row in zip(examples, taught, strict=True):
            if len(row) != len(taught[0]):
                raise DataError(
                    f"{example.place}: the teacher's vector has {len(row)} numbers, but "
                    f"{examples[0].place}: {len(taught[0])}; expected all alike."
                )
        teachers = np.array(taught, dtype=np.float32)
        firsts, lasts = (np.stack([rows[place] for rows in vectors]) for place in (0, -1))
        wanted = similarity.pairwise(teachers, np.roll(teachers, -1, axis=0), "cosine")
        return firsts, np.roll(lasts, -1, axis=0), wanted
    stacked = np.stack(vectors)  # (B, 2, E)
    wanted = np.array([_value(example) for example in examples], dtype=np.float64)
    return stacked[:, 0], stacked[:, 1], wanted


def _named(
    examples: Sequence[EmbeddingExample], vectors: Sequence[Vectors], by: Similarity
) -> tuple[list[str], Floats]:
    """(B,) the classes of pairs, and how alike the two vectors of each are."""
    stacked = np.stack(vectors)  # (B, 2, E)
    alike = similarity.pairwise(stacked[:, 0], stacked[:, 1], by)
    return [str(example.label) for example in examples], alike


def _retrieved(
    examples: Sequence[EmbeddingExample], vectors: Sequence[Vectors], by: Similarity
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Each anchor's positive, and what it finds among the texts of all examples but itself.

    Equal texts are one; of equal anchors each finds its own positive.

    Raises:
        DataError: Examples of one text.
    """
    if any(len(example.texts) < 2 for example in examples):
        raise DataError(
            "single texts tell nothing of how good their vectors are: name a file of pairs with "
            "scores, or with positives, by --validation."
        )
    corpus: dict[str, Vectors] = {}
    for example, rows in zip(examples, vectors, strict=True):
        for text, vector in zip(example.texts[1:], rows[1:], strict=True):
            corpus.setdefault(text, vector)
    texts = list(corpus)
    anchors = np.stack([rows[0] for rows in vectors])
    found = nearest_by(by, anchors, np.stack(list(corpus.values())), max(_CUTOFFS) + _MORE)
    names = [str(number) for number in range(len(examples))]
    run = as_run(found, names, texts)
    for name, example in zip(names, examples, strict=True):
        run[name].pop(example.texts[0], None)
    qrels = {name: {example.texts[1]: 1.0} for name, example in zip(names, examples, strict=True)}
    return qrels, run
