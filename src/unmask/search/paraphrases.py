"""The pairs of texts that are most alike."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.search.close_pairs import BLOCKS, Blocks, Ids, Pairs, close_pairs
from unmask.search.comparing_config import ParaphrasesConfig
from unmask.search.embedder import Vectors
from unmask.search.neighbours import nearest
from unmask.search.unit_vectors import ROUNDING, unit_vectors

_DEFAULT = ParaphrasesConfig()
_SAMPLE = 512
"""Texts by which the cosine of the last pair is guessed."""
_SPARE = 1.5
"""How many times as many pairs are aimed at, so that the guess is seldom too high."""
_MOST_PAIRS = 5_000_000
"""Pairs that are held, of 20 bytes each, before those go that count for neither text."""


def paraphrases(
    vectors: ArrayLike, config: ParaphrasesConfig = _DEFAULT, blocks: Blocks = BLOCKS
) -> Pairs:
    """The `max_pairs` best pairs of (N, D) vectors, by falling cosine, then by their numbers.

    A pair counts if one of the two is among the `top_k` nearest of the other, as in
    sentence-transformers' `paraphrase_mining_embeddings`; of equally near texts the earlier one is
    nearer, where theirs leaves it open. Exact, and in memory for `top_k` pairs of each text.

    Only pairs from a cosine on are looked for (`close_pairs`), which a sample says gives enough of
    them. Where it does not, or nearly all neighbours are asked for, those of every text are found
    (`nearest`). Both ways give the same.

    Raises:
        DataError: See `unit_vectors`.
    """
    unit = unit_vectors(vectors)
    top_k = min(config.top_k, len(unit) - 1)
    least = _least(unit, top_k, config)
    if least is not None:
        best = _best(_from(unit, least, top_k, blocks), config)
        if len(best.i) == config.max_pairs or least <= config.threshold:
            return best
    return _best(_of_all_neighbours(unit, top_k), config)


def _least(vectors: Vectors, top_k: int, config: ParaphrasesConfig) -> float | None:
    """The cosine from which the best pairs are surely enough, but not far more than are held.

    None where most texts have all their `top_k` neighbours from there on.
    """
    if len(vectors) <= _SAMPLE:
        return None
    sample = vectors[:: -(-len(vectors) // _SAMPLE)]
    scores = nearest(sample, vectors, top_k + 1).scores[:, 1:]  # without the text itself
    # A pair is counted at both its ends, or at one of them: half the count is what there surely is.
    wanted = math.ceil(2 * _SPARE * config.max_pairs * len(sample) / len(vectors))
    guess = -1.0
    if wanted <= scores.size:
        guess = float(np.partition(scores, -wanted, axis=None)[-wanted])
    least = max(guess, config.threshold)
    return least if least >= np.median(scores[:, -1]) else None


def _from(vectors: Vectors, least: float, top_k: int, blocks: Blocks) -> Pairs:
    """The pairs from a cosine on that count."""
    held = _Held(len(vectors), top_k)
    for pairs in close_pairs(vectors, least, blocks=blocks):
        held.add(pairs)
    return held.counting()


class _Held:
    """Pairs, of which those go that will not count, whatever may come."""

    def __init__(self, num_vectors: int, top_k: int) -> None:
        self._top_k = top_k
        self._parts: list[Pairs] = []
        self._size, self._most = 0, _MOST_PAIRS
        # The last one of each text's `top_k` nearest so far, once there are as many.
        self._last_score = np.full(num_vectors, -np.inf, dtype=np.float32)
        self._last_id = np.full(num_vectors, num_vectors)

    def add(self, pairs: Pairs) -> None:
        """Takes those that may count yet."""
        near = self._is_near(pairs.i, pairs.j, pairs.scores)
        near |= self._is_near(pairs.j, pairs.i, pairs.scores)
        self._parts.append(pairs.where(near))
        self._size += int(near.sum())
        if self._size > self._most:
            self._most = max(_MOST_PAIRS, 2 * len(self.counting().i))

    def counting(self) -> Pairs:
        """The pairs of which one is among the other's `top_k` nearest of all that came."""
        pairs = Pairs.joined(self._parts)
        texts = np.concatenate((pairs.i, pairs.j))
        others = np.concatenate((pairs.j, pairs.i))
        scores = np.tile(pairs.scores, 2)
        order = np.lexsort((others, -scores, texts))
        starts = np.flatnonzero(np.diff(texts[order], prepend=-1))
        sizes = np.diff(starts, append=len(order))
        rank = np.arange(len(order)) - np.repeat(starts, sizes)
        counts = np.empty(len(order), dtype=np.bool_)
        counts[order] = rank < self._top_k
        last = order[rank == self._top_k - 1]
        self._last_score[texts[last]] = scores[last]
        self._last_id[texts[last]] = others[last]
        kept = pairs.where(counts[: len(pairs.i)] | counts[len(pairs.i) :])
        self._parts, self._size = [kept], len(kept.i)
        return kept

    def _is_near(self, texts: Ids, others: Ids, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether the others are not farther than the last of the texts' nearest."""
        last = self._last_score[texts]
        near: NDArray[np.bool_] = scores > last
        near |= (scores == last) & (others <= self._last_id[texts])
        return near


def _of_all_neighbours(vectors: Vectors, top_k: int) -> Pairs:
    """The pairs that count, by way of every text's neighbours."""
    near = nearest(vectors, vectors, top_k + 1)
    is_other = near.ids != np.arange(len(vectors))[:, None]
    is_other[:, -1] &= ~is_other[:, :-1].all(axis=1)  # equal texts may come before the text itself
    i, place = np.nonzero(is_other)
    j, scores = near.ids[i, place], near.scores[i, place]
    codes, first = np.unique(np.minimum(i, j) * len(vectors) + np.maximum(i, j), return_index=True)
    low, high = np.divmod(codes, len(vectors))
    return Pairs(low, high, scores[first])


def _best(pairs: Pairs, config: ParaphrasesConfig) -> Pairs:
    pairs = pairs.where(pairs.scores >= config.threshold - ROUNDING)
    order = np.lexsort((pairs.j, pairs.i, -pairs.scores))
    return pairs.where(order[: config.max_pairs])
