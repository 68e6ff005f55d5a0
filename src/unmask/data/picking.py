"""Which positions of a packed batch are picked to be predicted: pieces, whole words or spans."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unmask.data.randomness import Stream, absorb, uniform

Unit = Literal["token", "word", "span"]
_SPAN_STOP_RATE = 0.2
_MAX_SPAN_WORDS = 10


@dataclass(frozen=True)
class Eligible:
    """The L positions of a packed batch that may be picked, in order."""

    index: NDArray[np.int64]
    """(L,) where in the batch."""
    sequence: NDArray[np.int64]
    """(L,) of which sequence."""
    position: NDArray[np.int64]
    """(L,) where in that sequence."""
    state: NDArray[np.uint64]
    """(L,) the hash of (seed, epoch, sample) that all draws of the sequence start from."""
    opens_word: NDArray[np.bool_]
    """(L,) True at the first piece of a word."""
    opens_run: NDArray[np.bool_]
    """(L,) True where the position before is not eligible, or of another sequence."""
    ends: NDArray[np.int64]
    """(B,) how many eligible positions there are up to the end of each sequence."""

    def draw(self, stream: Stream, rows: NDArray[np.int64] | slice) -> NDArray[np.uint64]:
        """One hash for each of the rows, from its sequence and its position there."""
        return absorb(absorb(self.state[rows], stream), self.position[rows])


def pick(
    eligible: Eligible, unit: Unit, rate: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the picked positions (M,), and for each the row whose draw replaces it (M,).

    With n the sequence's eligible positions, the budget is max(1, round(rate * n)) positions,
    halves rounded to even as Python does; a sequence without such positions gets none.

    - "token": exactly the budget, uniformly (Devlin et al. 2019, section 3.1).
    - "word": whole words in random order, a word that would exceed the budget is skipped
      (google-research/bert, create_masked_lm_predictions with do_whole_word_mask), so it may stay
      below the budget; where no word fits, one is picked whole.
    - "span": exactly the budget, in spans that begin with a word and go on for a number of words
      that is geometric with p = 0.2, renormalised to 1..10 (SpanBERT, Joshi et al. 2020, section
      3.1); the last span is cut where the budget ends. No span crosses a special token.
    """
    counts = np.diff(eligible.ends, prepend=0)
    # np.rint and Python's round agree on every float: halves go to the even neighbour.
    budgets = np.maximum(1, np.rint(rate * counts).astype(np.int64))
    budgets = np.where(counts > 0, budgets, 0)
    if unit == "span":
        return _pick_spans(eligible, budgets)
    rows = (_pick_words if unit == "word" else _pick_tokens)(eligible, budgets)
    return rows, rows


def _pick_tokens(eligible: Eligible, budgets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows with the smallest keys of each sequence, as many as its budget."""
    order = np.lexsort((eligible.draw(Stream.PICK, slice(None)), eligible.sequence))
    # The sort is by sequence first, so each sequence keeps its own range of rows.
    starts = eligible.ends - np.diff(eligible.ends, prepend=0)
    place = np.arange(len(order)) - starts[eligible.sequence]
    return order[place < budgets[eligible.sequence]]


def _pick_words(eligible: Eligible, budgets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of whole words, taken in random order while they fit their sequence's budget."""
    first = np.flatnonzero(eligible.opens_word)
    lengths = np.diff(first, append=len(eligible.index))
    sequence = eligible.sequence[first]
    order = np.lexsort((eligible.draw(Stream.PICK, first), sequence))
    picked: list[int] = []
    left = budgets.tolist()
    fallback = [-1] * len(left)
    taken = [False] * len(left)
    for word, owner, length in zip(
        order.tolist(), sequence[order].tolist(), lengths[order].tolist(), strict=True
    ):
        if fallback[owner] < 0:
            fallback[owner] = word
        if length <= left[owner]:
            left[owner] -= length
            taken[owner] = True
            picked.append(word)
    picked += [word for word, done in zip(fallback, taken, strict=True) if word >= 0 and not done]
    words = np.zeros(len(first), dtype=np.bool_)
    words[picked] = True
    return np.flatnonzero(np.repeat(words, lengths))


def _pick_spans(
    eligible: Eligible, budgets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of spans laid until each budget is spent, and for each the first row of its span."""
    order = np.lexsort((eligible.draw(Stream.PICK, slice(None)), eligible.sequence))
    start, stop = spans(eligible)
    left = budgets.tolist()
    origin = np.full(len(order), -1, dtype=np.int64)
    for anchor, owner in zip(order.tolist(), eligible.sequence[order].tolist(), strict=True):
        if left[owner] and origin[anchor] < 0:
            span = origin[start[anchor] : stop[anchor]]
            free = np.flatnonzero(span < 0)[: left[owner]]
            span[free] = start[anchor]
            left[owner] -= len(free)
    rows = np.flatnonzero(origin >= 0)
    return rows, origin[rows]


def spans(eligible: Eligible) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each row (L,) the range of rows that a span drawn there covers."""
    size = len(eligible.index)
    bounds = np.append(np.flatnonzero(eligible.opens_word), size)
    runs = np.append(np.flatnonzero(eligible.opens_run), size)
    word = np.cumsum(eligible.opens_word) - 1
    run = np.cumsum(eligible.opens_run) - 1
    share = uniform(eligible.draw(Stream.SPAN_LENGTH, slice(None)))
    # The inverse of the geometric distribution's cumulative function, cut at the longest span.
    within = share * (1 - (1 - _SPAN_STOP_RATE) ** _MAX_SPAN_WORDS)
    words = 1 + (np.log1p(-within) / log(1 - _SPAN_STOP_RATE)).astype(np.int64)
    stop = bounds[np.minimum(word + words, len(bounds) - 1)]
    return bounds[word], np.minimum(stop, runs[run + 1])
