"""The pairs of texts that are most alike."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from unmask.search.close_pairs import BLOCKS, Blocks, Pairs, close_pairs
from unmask.search.comparing_config import ParaphrasesConfig
from unmask.search.embedder import Vectors
from unmask.search.neighbours import nearest
from unmask.search.unit_vectors import ROUNDING, unit_vectors

_DEFAULT = ParaphrasesConfig()
_SAMPLE = 512
"""Texts by which the cosine of the last pair is guessed."""
_SPARE = 1.5
"""How many times as many pairs are aimed at, so that the guess is seldom too high."""
_MOST_PAIRS = 20_000_000
"""Pairs that are held, 20 bytes each, before those go that count for neither text."""


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
    held: list[Pairs] = []
    num_held, most = 0, _MOST_PAIRS
    for pairs in close_pairs(vectors, least, blocks=blocks):
        held.append(pairs)
        num_held += len(pairs.i)
        if num_held >= most:
            # What has `top_k` better ones at both ends now will not have fewer of them later.
            held = [_counting(Pairs.joined(held), top_k)]
            num_held = len(held[0].i)
            most = max(_MOST_PAIRS, 2 * num_held)
    return _counting(Pairs.joined(held), top_k)


def _counting(pairs: Pairs, top_k: int) -> Pairs:
    """The pairs of which one is among the other's `top_k` nearest of these pairs."""
    texts = np.concatenate((pairs.i, pairs.j))
    others = np.concatenate((pairs.j, pairs.i))
    order = np.lexsort((others, -np.tile(pairs.scores, 2), texts))
    of = texts[order]
    rank = np.arange(len(of)) - np.searchsorted(of, of)
    counts = np.empty(len(of), dtype=np.bool_)
    counts[order] = rank < top_k
    return pairs.where(counts[: len(pairs.i)] | counts[len(pairs.i) :])


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
