"""BM25 over postings that lie in several segments (Robertson and Zaragoza 2009).

The score of a passage is the sum over the query's words, as often as they stand in the query, of

    idf * count / (count + k1 * (1 - b + b * length / mean length))
    idf = ln(1 + (passages - with + 0.5) / (with + 0.5))

with the statistics of all passages that are not deleted, as Lucene has it since version 8 (which
leaves out the factor k1 + 1, that changes no order). The sums are bm25s's (Lù 2024, arXiv
2407.03618).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.search.config import WordsConfig
from unmask.search.extras import bm25s
from unmask.search.folder.postings import Ints, Postings
from unmask.search.words import stopwords_of, words_of


@dataclass(frozen=True)
class Part:
    """A segment as BM25 sees it."""

    postings: Postings
    alive: NDArray[np.bool_] | None
    """(passages,) which are not deleted; None for all."""

    @property
    def size(self) -> int:
        """Passages that are not deleted."""
        return len(self.postings.lengths) if self.alive is None else int(self.alive.sum())

    @property
    def num_words(self) -> int:
        """Words of these."""
        lengths = self.postings.lengths
        return int((lengths if self.alive is None else lengths[self.alive]).sum(dtype=np.int64))

    def of(self, term: str) -> tuple[Ints, Ints]:
        """The passages with a term that are not deleted, and how often it stands there."""
        passages, counts = self.postings.of(term)
        if self.alive is None:
            return passages, counts
        stays = self.alive[passages]
        return passages[stays], counts[stays]


class Ranking:
    """Scores by the statistics of all parts, which are counted once."""

    def __init__(self, parts: Sequence[Part], config: WordsConfig) -> None:
        self._parts = parts
        self._config = config
        self._num_passages = sum(part.size for part in parts)
        self._mean = sum(part.num_words for part in parts) / max(1, self._num_passages)

    def scores(self, query: str) -> list[NDArray[np.float32]]:
        """(passages,) of each part: 0 where no word of the query stands."""
        left_out = stopwords_of(self._config.stopwords)
        words = Counter(word for _, _, word in words_of(query) if word not in left_out)
        if not words:
            return [np.zeros(len(part.postings.lengths), np.float32) for part in self._parts]
        found = {word: [part.of(word) for part in self._parts] for word in words}
        weights = {word: self._idf(entries) for word, entries in found.items()}
        return [
            self._sum(part, words, {word: found[word][i] for word in words}, weights)
            for i, part in enumerate(self._parts)
        ]

    def _idf(self, entries: Sequence[tuple[Ints, Ints]]) -> float:
        num_with = sum(len(passages) for passages, _ in entries)
        return math.log(1 + (self._num_passages - num_with + 0.5) / (num_with + 0.5))

    def _sum(
        self,
        part: Part,
        words: Counter[str],
        entries: dict[str, tuple[Ints, Ints]],
        weights: dict[str, float],
    ) -> NDArray[np.float32]:
        """By bm25s, which is handed a matrix of the query's words alone."""
        k1, b = self._config.k1, self._config.b
        lengths = part.postings.lengths
        data = [np.zeros(0, np.float32)]
        for word, (passages, counts) in entries.items():
            norm = k1 * (1 - b + b * lengths[passages] / self._mean)
            data.append((weights[word] * counts / (counts + norm)).astype(np.float32))
        matrix: dict[str, Any] = {
            "data": np.concatenate(data),
            "indices": np.concatenate([np.zeros(0, np.int32), *(p for p, _ in entries.values())]),
            "indptr": np.cumsum([0, *(len(p) for p, _ in entries.values())]),
            "num_docs": len(lengths),
        }
        scorer = bm25s().BM25(method="lucene", k1=k1, b=b)
        scorer.scores, scorer.nonoccurrence_array = matrix, None
        asked = [number for number, word in enumerate(words) for _ in range(words[word])]
        scores: NDArray[np.float32] = scorer.get_scores_from_ids(asked)
        return scores
