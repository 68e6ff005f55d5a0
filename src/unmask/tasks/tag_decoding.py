"""From scores of tags to one tag for each word: the best, the best made legal, the best legal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unmask.data.labelled.tags import legal_transitions, repair

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class TagDecoder:
    """How (W, K) log-probabilities of K tags become the tags of W words."""

    labels: tuple[str, ...]
    """The K tags, spelled as `tag_sets.spelled` does."""
    scheme: str
    how: Literal["argmax", "repair", "viterbi"]

    def best(self, scores: Floats) -> Numbers:
        """(W,) the number of each word's tag, of the K there are."""
        if self.how == "viterbi" and self.scheme != "plain":
            return viterbi(scores, *self._grammar)
        return np.asarray(scores.argmax(axis=1))

    def tags(self, numbers: Numbers) -> list[str]:
        """The W tags, repaired where asked for, whether the K labels have such a tag or not."""
        found = [self.labels[number] for number in numbers.tolist()]
        return repair(found, self.scheme) if self.how == "repair" else found

    @cached_property
    def _grammar(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        return legal_transitions(self.labels, self.scheme)


def viterbi(
    scores: Floats,
    is_first: NDArray[np.bool_],
    is_next: NDArray[np.bool_],
    is_last: NDArray[np.bool_],
) -> Numbers:
    """(W,) the legal sequence of tags whose scores (W, K) have the greatest sum.

    `is_first` (K,), `is_next` (K, K) and `is_last` (K,) say what is legal, as in
    `tags.legal_transitions`. Where no sequence is, the best tag of each word. Source: Viterbi 1967;
    Forney 1973, section III.

    >>> probabilities = np.array([[0.4, 0.35, 0.25], [0.2, 0.2, 0.6]])  # of O, B, I
    >>> follows = np.array([[True, True, False], [True, True, True], [True, True, True]])
    >>> viterbi(np.log(probabilities), follows[0], follows, np.ones(3, bool)).tolist()
    [1, 2]
    """
    num_words = len(scores)
    if not num_words:
        return np.zeros(0, dtype=np.int64)
    # float64: the sum over a long text must not round away what two tags differ by.
    wide = scores.astype(np.float64)
    step = np.where(is_next, 0.0, -np.inf)  # (K, K)
    came_from = np.zeros(scores.shape, dtype=np.int64)
    best = np.where(is_first, wide[0], -np.inf)  # (K,) of sequences that end in each tag
    for word in range(1, num_words):
        sums = best[:, None] + step  # (K, K)
        came_from[word] = sums.argmax(axis=0)
        best = sums.max(axis=0) + wide[word]
    best = np.where(is_last, best, -np.inf)
    if best.max() == -np.inf:
        return np.asarray(scores.argmax(axis=1))
    found = np.empty(num_words, dtype=np.int64)
    found[-1] = best.argmax()
    for word in range(num_words - 1, 0, -1):
        found[word - 1] = came_from[word, found[word]]
    return found
