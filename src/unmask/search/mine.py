"""Hard negatives: texts that a model finds near to an anchor, but that are no answer to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmask.data.randomness import counter_hash
from unmask.errors import DataError
from unmask.search.close_pairs import Ids
from unmask.search.comparing_config import MiningConfig
from unmask.search.embedder import Embedder, Reranker, Vectors
from unmask.search.neighbours import nearest
from unmask.search.unit_vectors import ROUNDING, unit_vectors

_DEFAULT = MiningConfig()
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Mined:
    """An anchor with its positives and the negatives that were found."""

    anchor: str
    positives: tuple[str, ...]
    """Each once."""
    positive_scores: tuple[float, ...]
    negatives: tuple[str, ...]
    """At most as many as were asked for, the hardest first."""
    negative_scores: tuple[float, ...]


@dataclass(frozen=True)
class Mining:
    """What became of all anchors."""

    found: list[Mined]
    """One for each different anchor, in the order of the first pair of each."""
    left_out: dict[str, int]
    """How many candidates went for what reason."""


def mine(
    pairs: Sequence[tuple[str, str]],
    embedder: Embedder,
    config: MiningConfig = _DEFAULT,
    corpus: Sequence[str] = (),
    reranker: Reranker | None = None,
) -> Mining:
    """Finds negatives for (anchor, positive) pairs among a corpus and the positives of others.

    Pairs of equal anchors are one anchor with several positives. The candidates are the nearest
    texts by the model's cosine. One goes if it is a positive of the anchor's or its duplicate, or
    equals the anchor; the others are scored, by the same cosine or by the reranker if there is one,
    and go if that score is too near to the worst positive's or outside the limits. Of what is left,
    by falling score, `range_min` are passed over, and up to `range_max` are chosen from.

    As sentence-transformers' `mine_hard_negatives`, which knows no duplicates but equal texts, may
    give an anchor itself for its negative, and asks a cross-encoder only where there is a margin or
    a limit. Exact, and the same at every run: random negatives are drawn by the seed, the anchor's
    number and the text's.

    Raises:
        DataError: No pair, a blank text, vectors or scores that are not finite, or not one negative
            for any anchor.
    """
    _refuse_blank(pairs, corpus)
    positives: dict[str, dict[str, None]] = {}
    for anchor, positive in pairs:
        positives.setdefault(anchor, {})[positive] = None
    documents = list(dict.fromkeys((*corpus, *(positive for _, positive in pairs))))
    anchors = unit_vectors(embedder.encode_query(list(positives)), embedder.name, least=1)
    vectors = unit_vectors(embedder.encode_document(documents), embedder.name, least=1)
    most_positives = max(map(len, positives.values()))
    last_rank = config.last_rank(most_positives)
    near = nearest(anchors, vectors, min(last_rank + most_positives, len(documents)))
    chooser = _Chooser(documents, vectors, config, last_rank, reranker)
    found = [
        chooser.choose(number, anchor, tuple(own), anchors[number], near.ids[number])
        for number, (anchor, own) in enumerate(positives.items())
    ]
    left_out = dict(chooser.left_out)
    if not any(one.negatives for one in found):
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise DataError(
            f"no text is left as a negative for any of {len(found)} anchors, out of "
            f"{len(documents)} texts ({why}). Give more texts as a corpus, a smaller margin, or a "
            "smaller range_min."
        )
    return Mining(found, left_out)


def _refuse_blank(pairs: Sequence[tuple[str, str]], corpus: Sequence[str]) -> None:
    if not pairs:
        raise DataError("no pair of an anchor and its positive; expected at least one.")
    for number, pair in enumerate(pairs, 1):
        for name, text in zip(("anchor", "positive"), pair, strict=True):
            if not text.strip():
                raise DataError(f"pair {number}: its {name} is blank; expected a text.")
        if pair[0] == pair[1]:
            raise DataError(
                f"pair {number}: anchor and positive are the same text, from which nothing can be "
                f"learned: {pair[0][:80]!r}."
            )
    for number, text in enumerate(corpus, 1):
        if not text.strip():
            raise DataError(f"text {number} of the corpus: is blank; leave it out.")


class _Chooser:
    """Chooses negatives, one anchor after another."""

    def __init__(
        self,
        documents: Sequence[str],
        vectors: Vectors,
        config: MiningConfig,
        last_rank: int,
        reranker: Reranker | None,
    ) -> None:
        self.left_out: Counter[str] = Counter()
        self._documents = documents
        self._numbers = {text: number for number, text in enumerate(documents)}
        self._vectors = vectors
        self._config = config
        self._last_rank = last_rank
        self._reranker = reranker

    def choose(
        self, number: int, anchor: str, own: tuple[str, ...], vector: Vectors, near: Ids
    ) -> Mined:
        """The negatives of one anchor out of the texts near to it; `own` are its positives."""
        right = np.array([self._numbers[text] for text in own])
        candidates = self._wrong(anchor, right, near)
        both = self._scores(anchor, vector, np.concatenate((right, candidates)))
        positive_scores, scores = both[: len(right)], both[len(right) :]
        keep = self._far_enough(scores, float(positive_scores.min()))
        order = np.flatnonzero(keep)[np.argsort(-scores[keep], kind="stable")]
        order = order[self._config.range_min : self._last_rank]
        chosen = order[self._picked(number, candidates[order])]
        return Mined(
            anchor,
            own,
            tuple(positive_scores.tolist()),
            tuple(self._documents[i] for i in candidates[chosen]),
            tuple(scores[chosen].tolist()),
        )

    def _wrong(self, anchor: str, right: Ids, near: Ids) -> Ids:
        """Without the positives, their duplicates, and the anchor itself."""
        itself = self._numbers.get(anchor, -1)
        candidates: Ids = near[~np.isin(near, right) & (near != itself)]
        if self._config.duplicates is None:
            return candidates
        alike = (self._vectors[candidates] @ self._vectors[right].T).max(axis=1, initial=-1.0)
        is_other = alike < self._config.duplicates - ROUNDING
        self._count("duplicates of a positive", is_other)
        others: Ids = candidates[is_other]
        return others

    def _scores(self, anchor: str, vector: Vectors, texts: Ids) -> Scores:
        """(P,) of the anchor with each text."""
        if self._reranker is None:
            cosines: Scores = np.vecdot(self._vectors[texts], vector).astype(np.float64)
            return cosines
        asked = [self._documents[i] for i in texts]
        scores = np.asarray(self._reranker.rank(anchor, asked), dtype=np.float64)
        if scores.shape != (len(asked),) or not np.isfinite(scores).all():
            raise DataError(
                f"the reranker gave scores of shape {scores.shape} for {anchor[:80]!r}, of which "
                f"{int((~np.isfinite(scores)).sum())} are not finite; expected {len(asked)} finite "
                "numbers."
            )
        return scores

    def _far_enough(self, scores: Scores, positive: float) -> NDArray[np.bool_]:
        """Which keep the margins to the worst positive's score, and the limits."""
        config = self._config
        keep = np.ones(len(scores), dtype=np.bool_)
        if config.absolute_margin is not None:
            within = scores + config.absolute_margin <= positive
            keep &= self._count("within the absolute margin", within, keep)
        if config.relative_margin is not None:
            # Of its size, so that a margin is one for negative scores too.
            within = scores <= positive - abs(positive) * config.relative_margin
            keep &= self._count("within the relative margin", within, keep)
        if config.max_score is not None:
            keep &= self._count("above max_score", scores <= config.max_score, keep)
        if config.min_score is not None:
            keep &= self._count("below min_score", scores >= config.min_score, keep)
        return keep

    def _count(
        self, reason: str, is_good: NDArray[np.bool_], among: NDArray[np.bool_] | None = None
    ) -> NDArray[np.bool_]:
        bad = ~is_good if among is None else among & ~is_good
        self.left_out[reason] += int(bad.sum())
        return is_good

    def _picked(self, number: int, texts: Ids) -> Ids:
        """The places of those that are taken, ascending."""
        most = self._config.num_negatives
        if self._config.sampling == "top" or len(texts) <= most:
            return np.arange(min(most, len(texts)))
        draws = counter_hash(self._config.seed, number, texts)
        return np.sort(np.argsort(draws, kind="stable")[:most])
