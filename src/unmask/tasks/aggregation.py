"""Pieces to words, and words to the groups that transformers' pipelines answer with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unmask.data.labelled.examples import TaggedExample
from unmask.data.labelled.tags import spans

Strategy = Literal["none", "simple", "first", "average", "max"]
Floats = NDArray[np.float32]

_LEAST = np.finfo(np.float32).tiny
"""A mean of probabilities is never taken for less, so that its logarithm is a number."""


def reads_all_pieces(strategy: Strategy) -> bool:
    """Whether a word's tag rests on all of its pieces, or on the first alone."""
    return strategy in ("average", "max")


def by_word(scores: Floats, words: NDArray[np.int64], num_words: int, strategy: Strategy) -> Floats:
    """(M, K) log-probabilities of pieces to (W, K) of words.

    `words` (M,) says which word each piece is of, ascending; each of the W occurs. `average` is the
    logarithm of the mean probabilities, `max` the piece that is surest of its tag (the first, if
    several are), anything else the first piece. Source: transformers,
    `TokenClassificationPipeline.aggregate_word`.
    """
    starts = np.searchsorted(words, np.arange(num_words))
    if len(words) == num_words or not reads_all_pieces(strategy):
        return scores[starts]
    if strategy == "average":
        sizes = np.diff(starts, append=len(words))
        means = np.add.reduceat(np.exp(scores), starts, axis=0) / sizes[:, None]
        averaged: Floats = np.log(np.maximum(means, _LEAST)).astype(np.float32)
        return averaged
    surest = np.lexsort((-scores.max(axis=1), words))  # by word, then by sureness; stable
    return scores[surest[starts]]


def entities(
    example: TaggedExample,
    tags: Sequence[str],
    scores: Sequence[float],
    scheme: str,
    strategy: Strategy,
) -> list[dict[str, Any]]:
    """The groups of W words with their tags and the probabilities of these, as JSON has them.

    Each has `entity_group`, `score` (the mean over its words), `word` (cut from the text, not put
    together from tokens) and its first and past-the-last code point, `start` and `end`. Groups are
    `tags.spans`: for IOB1 and IOB2 those of `TokenClassificationPipeline.group_entities`, which
    knows nothing of BIOES's `E-` and `S-`.

    Without aggregation, and for plain tags, each word but those of `O` is by itself: `entity` is
    its tag, and `index` its number, from 1 (there the number of the token after `[CLS]`).
    """
    if scheme == "plain" or strategy == "none":
        return [
            {"entity": tag, "score": score, "index": i, **_place(example, i - 1, i)}
            for i, (tag, score) in enumerate(zip(tags, scores, strict=True), 1)
            if tag != "O"
        ]
    return [
        {
            "entity_group": span.label,
            "score": float(np.mean(scores[span.start : span.end])),
            **_place(example, span.start, span.end),
        }
        for span in spans(tags, scheme)
    ]


def _place(example: TaggedExample, first: int, last: int) -> dict[str, Any]:
    start, end = example.words[first][0], example.words[last - 1][1]
    return {"word": example.text[start:end], "start": start, "end": end}
