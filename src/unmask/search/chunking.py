"""Documents into passages: sentences as far as they fit, with overlap, at their places."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from unmask.data.sentences import split_in_parts
from unmask.search.config import ChunkConfig
from unmask.search.documents import Document, Span
from unmask.search.embedder import Embedder

_SENTENCES_AT_ONCE = 10_000

Spans = NDArray[np.int64]


def with_title(title: str, text: str) -> str:
    """What a model reads and whose words count: the title, a blank, the text (as BEIR has it).

    >>> with_title("Sharks", "They swim."), with_title("", "They swim.")
    ('Sharks They swim.', 'They swim.')
    """
    return f"{title} {text}" if title else text


def passages_of(document: Document, embedder: Embedder, config: ChunkConfig) -> tuple[Span, ...]:
    """The document's passages, in order, none of them blank or longer than allowed.

    Every character but white space lies in at least one. By sentences, a passage takes as many
    whole ones as fit, and begins with the last of the passage before that fit the overlap; a
    sentence that is too long alone is cut between words, and a word between tokens.
    """
    text = document.text
    whole = _stripped(text, 0, len(text))
    if config.by == "document":
        return (whole,)
    budget = budget_of(document, embedder, config)
    tokens = embedder.spans(text)  # (T, 2)
    if len(tokens) <= budget:
        return (whole,)
    overlap = min(config.overlap_tokens, budget // 2)
    if config.by == "sentences":
        units = _sentences(text, tokens, budget)
    else:
        units = np.arange(len(tokens) + 1)
    cuts = _fill(units, budget, overlap)
    found = (_between(text, tokens, first, last) for first, last in cuts)
    return tuple(
        itertools.chain.from_iterable(_fitting(text, span, embedder, budget) for span in found)
    )


def budget_of(document: Document, embedder: Embedder, config: ChunkConfig) -> int:
    """Tokens that the title leaves to a passage, at least half of what a model reads."""
    limit = min(config.max_tokens or embedder.max_length, embedder.max_length)
    title = len(embedder.spans(document.title)) if document.title else 0
    return limit - min(title, limit // 2)


def read_title(document: Document, embedder: Embedder, config: ChunkConfig) -> str:
    """The title as far as it is read before the passages: at most half of what a model reads."""
    if not document.title:
        return ""
    limit = min(config.max_tokens or embedder.max_length, embedder.max_length) // 2
    tokens = embedder.spans(document.title)
    return document.title if len(tokens) <= limit else document.title[: int(tokens[limit - 1, 1])]


def sentences_of(text: str) -> list[Span]:
    """The places of the sentences, without the white space around them; none is blank."""
    found = []
    start = 0
    for part in split_in_parts(text, _SENTENCES_AT_ONCE):
        for sentence in part:
            if not sentence.isspace() and sentence:
                found.append(_stripped(text, start, start + len(sentence)))
            start += len(sentence)
    return found


def _sentences(text: str, tokens: Spans, budget: int) -> NDArray[np.int64]:
    """(U + 1,) token numbers where units begin, and T: sentences, cut where they are too long."""
    starts = [0]
    position = 0
    for part in split_in_parts(text, _SENTENCES_AT_ONCE):
        for sentence in part:
            position += len(sentence)
            starts.append(position)
    bounds = np.searchsorted(tokens[:, 0], np.asarray(starts[1:-1], dtype=np.int64))
    edges = np.unique(np.concatenate([[0], bounds, [len(tokens)]]))
    if int(np.diff(edges).max()) <= budget:
        return edges
    begins_word = _begins_word(text, tokens)
    cut: list[int] = [0]
    for end in edges[1:].tolist():
        while end - cut[-1] > budget:
            cut.append(_word_edge(begins_word, cut[-1], cut[-1] + budget))
        cut.append(end)
    return np.asarray(cut, dtype=np.int64)


def _begins_word(text: str, tokens: Spans) -> NDArray[np.bool_]:
    """(T,) whether white space stands before a token, or within it at its beginning."""
    return np.asarray(
        [
            start == 0 or text[start - 1].isspace() or text[start : start + 1].isspace()
            for start in tokens[:, 0].tolist()
        ]
    )


def _word_edge(begins_word: NDArray[np.bool_], start: int, end: int) -> int:
    """The last token up to `end` that begins a word, if there is one in the later half."""
    middle = (start + end + 1) // 2
    found = np.flatnonzero(begins_word[middle : end + 1])
    return middle + int(found[-1]) if len(found) else end


def _fill(units: NDArray[np.int64], budget: int, overlap: int) -> list[tuple[int, int]]:
    """First token and the one after the last of each passage, out of units that each fit."""
    edges = units.tolist()
    cuts: list[tuple[int, int]] = []
    first = 0
    while True:
        last = first + 1
        while last < len(edges) - 1 and edges[last + 1] - edges[first] <= budget:
            last += 1
        cuts.append((edges[first], edges[last]))
        if last == len(edges) - 1:
            return cuts
        # Back by whole units, but never so far that the next passage says nothing new.
        following = edges[last + 1]
        first = last
        while edges[last] - edges[first - 1] <= overlap and following - edges[first - 1] <= budget:
            first -= 1


def _between(text: str, tokens: Spans, first: int, last: int) -> Span:
    """From one token to before another, and what stands between tokens, so that none is lost."""
    start = 0 if first == 0 else int(tokens[first, 0])
    end = len(text) if last == len(tokens) else int(tokens[last, 0])
    return _stripped(text, start, max(end, int(tokens[last - 1, 1])))


def _fitting(text: str, span: Span, embedder: Embedder, budget: int) -> list[Span]:
    """The passage, or two and more of it where it has more tokens alone than within its text."""
    tokens = embedder.spans(text[span.start : span.end])
    if len(tokens) <= budget:
        return [span] if span.start < span.end else []
    middle = span.start + int(tokens[budget // 2, 0])
    if not span.start < middle < span.end:  # bytes of one character, which cannot be parted
        return [span]
    halves = (_stripped(text, span.start, middle), _stripped(text, middle, span.end))
    return [part for half in halves for part in _fitting(text, half, embedder, budget)]


def _stripped(text: str, start: int, end: int) -> Span:
    """The place without the white space around it."""
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    return Span(start + left, max(start + left, start + len(part.rstrip())))
