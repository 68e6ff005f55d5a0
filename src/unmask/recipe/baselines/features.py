"""TF-IDF of texts and of pairs of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from unmask.recipe.baselines.linear import Features

_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Kana and Han, written without spaces: each character is a word, as BERT has it."""
WORD = rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|[^\w\s]"
"""What counts as a word: single letters and punctuation too, which grammar hangs on."""
STRENGTHS = (0.1, 1.0, 10.0, 100.0)
"""Tried on these features."""


@dataclass(frozen=True)
class TextFeatures:
    """Words and pairs of neighbouring words, 1 + log(count) times idf, rows of length 1.

    Of a pair, the features of both texts side by side, each with its own vocabulary; then by a
    shared one of single words, what both have in common, what only one has, and their cosine.
    """

    first: Any
    second: Any | None
    shared: Any | None

    @classmethod
    def fit(cls, texts: Sequence[str], pairs: Sequence[str] | None) -> Self:
        """Takes vocabularies and frequencies from the training texts."""
        first = _vectorizer((1, 2)).fit(texts)
        if pairs is None:
            return cls(first, None, None)
        shared = _vectorizer((1, 1)).fit([*texts, *pairs])
        return cls(first, _vectorizer((1, 2)).fit(pairs), shared)

    def __call__(self, texts: Sequence[str], pairs: Sequence[str] | None) -> Features:
        """(B, F) sparse rows."""
        first = self.first.transform(texts)
        if self.second is None or self.shared is None or pairs is None:
            return first
        one, other = self.shared.transform(texts), self.shared.transform(pairs)
        common = one.multiply(other).sqrt()
        cosine = sparse.csr_matrix(one.multiply(other).sum(axis=1))
        blocks = [first, self.second.transform(pairs), common, abs(one - other), cosine]
        return sparse.hstack(blocks, format="csr")


def _vectorizer(ngrams: tuple[int, int]) -> Any:
    return TfidfVectorizer(
        ngram_range=ngrams, sublinear_tf=True, token_pattern=WORD, dtype=np.float64
    )
