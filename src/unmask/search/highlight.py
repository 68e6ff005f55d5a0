"""What to mark in a passage: the query's words, and the sentence that answers best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unmask.search.chunking import sentences_of
from unmask.search.config import Stopwords
from unmask.search.documents import Span
from unmask.search.embedder import Embedder, checked_vectors
from unmask.search.words import stopwords_of, words_of


@dataclass(frozen=True)
class Highlight:
    """Places in a passage, in code points from its beginning."""

    words: tuple[Span, ...]
    """Where a word of the query stands, whatever its capitals."""
    sentence: Span
    """The sentence nearest to the query; the whole passage where it has one alone."""


def highlight(
    query: str, texts: Sequence[str], embedder: Embedder, stopwords: Stopwords = "none"
) -> list[Highlight]:
    """What to mark in each of these passages.

    The best sentence is the one whose vector is nearest to the query's, which costs a vector for
    every sentence of the passages; of equal ones the first.
    """
    left_out = stopwords_of(stopwords)
    wanted = {word for _, _, word in words_of(query)} - left_out
    sentences = [sentences_of(text) or [Span(0, len(text))] for text in texts]
    asked = [
        text[span.start : span.end]
        for text, spans in zip(texts, sentences, strict=True)
        for span in spans
        if len(spans) > 1
    ]
    scores = _scores(query, asked, embedder)
    found = []
    start = 0
    for text, spans in zip(texts, sentences, strict=True):
        best = 0
        if len(spans) > 1:
            best = int(np.argmax(scores[start : start + len(spans)]))
            start += len(spans)
        words = tuple(Span(a, b) for a, b, word in words_of(text) if word in wanted)
        found.append(Highlight(words, spans[best]))
    return found


def _scores(query: str, sentences: Sequence[str], embedder: Embedder) -> np.ndarray:
    """(N,) cosines of each sentence with the query."""
    if not sentences:
        return np.zeros(0, dtype=np.float32)
    asked = checked_vectors(embedder.encode_query([query]), 1, embedder, unit=True)
    vectors = checked_vectors(
        embedder.encode_document(sentences), len(sentences), embedder, unit=True
    )
    scores: np.ndarray = vectors @ asked[0]
    return scores
