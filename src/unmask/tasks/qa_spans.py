"""Scores of spans: what is learned of them, and the best of a context over all of its windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from unmask.data.windows import Window
from unmask.tasks.losses import widened

Floats = NDArray[np.floating[Any]]
_NO_SCORE = -math.inf


class SpanScores(NamedTuple):
    """What the windows of one question came to."""

    spans: NDArray[np.int64]
    """(n, 2) first and past-the-last code point in the context, best first, all different."""
    scores: Floats
    """(n,) the sum of the start's and the end's logit."""
    no_answer: float
    """The same sum for the span `[CLS]`..`[CLS]`, least over the windows."""

    @property
    def null_odds(self) -> float:
        """By how much "no answer" beats the best span, in logits; a context of nothing has 0 there.

        google-research/bert, `run_squad.py`, `score_diff`.
        """
        return self.no_answer - (float(self.scores[0]) if len(self.scores) else 0.0)

    def is_answer(self, threshold: float) -> bool:
        """Whether there is a span that "no answer" does not beat by more than the threshold."""
        return len(self.spans) > 0 and self.null_odds <= threshold

    def candidates(self, *, no_answer: bool) -> tuple[NDArray[np.int64], Floats]:
        """The spans (n, 2) and the softmax (n,) over their scores; "no answer" comes last, at 0.

        It is there if asked for, and where there is no span. google-research/bert, `run_squad.py`,
        `_compute_softmax`.
        """
        spans, scores = self.spans, self.scores
        if no_answer or not len(spans):
            spans, scores = np.append(spans, [[0, 0]], axis=0), np.append(scores, self.no_answer)
        found: Floats = special.softmax(scores.astype(np.float64))
        return spans, found


def span_cross_entropy(logits: Tensor, labels: Tensor, lengths: Sequence[int]) -> Tensor:
    """() summed cross-entropy in nats of packed (N,) logits, each sequence's among themselves.

    `labels` (B,) are positions in the sequence. transformers lets padding take part in the softmax;
    here, as in the paper, a batch of one length gives the same as theirs.

    Worked example, the right one of two equal logits beside a sequence of one token:

    >>> logits, labels = Tensor([1.0, 1.0, 5.0]), Tensor([1, 0]).long()
    >>> round(span_cross_entropy(logits, labels, (2, 1)).item(), 4)
    0.6931
    """
    parts = torch.split(widened(logits), list(lengths))
    # (B, T): padding costs next to nothing where a token is one number
    rows = pad_sequence(list(parts), batch_first=True, padding_value=_NO_SCORE)
    return functional.cross_entropy(rows, labels, reduction="sum")


def best_spans(
    windows: Sequence[Window], logits: Sequence[Floats], n_best: int, max_length: int
) -> SpanScores:
    """The `n_best` spans of at most `max_length` tokens of the context, out of (T, 2) logits each.

    All pairs are compared, not only those of the likeliest starts and ends as in `run_squad.py`. A
    span that stands in two windows has the higher of its scores.
    """
    found = [
        _of_window(window, scores, n_best, max_length)
        for window, scores in zip(windows, logits, strict=True)
    ]
    spans = np.concatenate([part for part, _ in found])
    scores = np.concatenate([part for _, part in found])
    order = np.lexsort((spans[:, 1], spans[:, 0], -scores))
    spans, scores = spans[order], scores[order]
    keys = spans[:, 0] * (spans[:, 1].max(initial=0) + 1) + spans[:, 1]
    first = np.sort(np.unique(keys, return_index=True)[1])[:n_best]
    no_answer = min(float(part[0].astype(np.float64).sum()) for part in logits)
    return SpanScores(spans[first], scores[first], no_answer)


def _of_window(
    window: Window, logits: Floats, n_best: int, max_length: int
) -> tuple[NDArray[np.int64], Floats]:
    """The code points (n, 2) and scores (n,) of a window's best spans, in no order."""
    assert window.places is not None
    first = window.num_first
    places, part = window.places[first:-1], logits[first:-1]  # without [SEP]: (T, 2) each
    num_tokens = len(part)
    if num_tokens == 0:
        return np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=logits.dtype)
    width = min(max_length, num_tokens)
    ends = np.append(part[:, 1], np.full(width - 1, _NO_SCORE, dtype=part.dtype))
    reach = np.arange(num_tokens)[:, None] + np.arange(width)
    sums = part[:, :1] + ends[reach]  # (T, width), of a start in each row
    rows = _highest(sums.max(axis=1), n_best)  # no other row holds one of the best
    flat = sums[rows].ravel()
    best = _highest(flat, n_best)
    best = best[flat[best] > _NO_SCORE]
    starts = rows[best // width]
    return np.stack((places[starts, 0], places[starts + best % width, 1]), axis=-1), flat[best]


def _highest(values: Floats, number: int) -> NDArray[np.int64]:
    """Where the highest of (n,) values are, in no order."""
    if len(values) <= number:
        return np.arange(len(values))
    return np.argpartition(values, -number)[-number:]
