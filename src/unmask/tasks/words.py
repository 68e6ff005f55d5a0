"""Words as pieces of the tokenizer's, and windows that divide no word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import pre_tokenizers

from unmask.batch import IGNORED
from unmask.data.labelled.examples import TaggedExample
from unmask.text.layout import Layout
from unmask.text.normalise import replace_surrogates
from unmask.text.tokenizer import Tokenizer

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text as token ids; W words have P pieces."""

    ids: Ids
    """(P,) without special tokens."""
    sizes: Ids
    """(W,) pieces of each word, at least 1."""

    def cut(self, most: int) -> Words:
        """Without what a word has beyond `most` pieces."""
        if not len(self.sizes) or self.sizes.max() <= most:
            return self
        starts = np.cumsum(self.sizes) - self.sizes
        within = np.arange(len(self.ids)) - np.repeat(starts, self.sizes)
        return Words(self.ids[within < most], np.minimum(self.sizes, most))


@dataclass(frozen=True, slots=True)
class WordWindow:
    """`[CLS]` some words `[SEP]`, T tokens."""

    input_ids: Ids
    """(T,)."""
    words: Ids
    """(T,) the number of the word that is judged here; IGNORED at special tokens and at words that
    another window judges."""
    is_first: NDArray[np.bool_]
    """(T,) whether a token begins a word that is judged here."""


def encode_words(examples: Sequence[TaggedExample], tokenizer: Tokenizer) -> list[Words]:
    """The words of many texts, each encoded by itself.

    The ids are those of transformers' `is_split_into_words=True`, but for a word that normalises to
    nothing (a soft hyphen, control characters), which is one unknown token here and no token there:
    so that it has a prediction like any other.
    """
    if not examples:
        return []
    texts = [example.text[start:end] for example in examples for start, end in example.words]
    found, sizes = tokenizer.encode_words(texts)
    is_empty = sizes == 0
    ids = np.insert(found.astype(np.int64), np.cumsum(sizes)[is_empty], tokenizer.special.unk)
    sizes = np.where(is_empty, 1, sizes)
    ends = np.cumsum([len(example.words) for example in examples])[:-1]  # in words
    pieces = np.concatenate(([0], np.cumsum(sizes)))[ends]
    parts = zip(np.split(ids, pieces), np.split(sizes, ends), strict=True)
    return [Words(*part) for part in parts]


def windows(words: Words, layout: Layout, longest: int, stride: int) -> list[WordWindow]:
    """Windows of at most `longest` tokens, neighbours sharing at most `stride`; at least one.

    Each word is judged in one window: where the lesser of its contexts on both sides, counted in
    tokens of the window, is greatest; the earlier one if they are equal. A word that no window
    holds is cut. At most half of a window is shared.
    """
    room = longest - layout.single_cost
    stride = min(stride, room // 2)
    words = words.cut(room)
    ends = np.cumsum(words.sizes)
    starts = ends - words.sizes
    spans = list(_spans(starts, ends, room, stride))
    judge = _judges(starts, ends, spans)
    return [
        _window(words, starts, layout, first, last, judge[first:last] == number)
        for number, (first, last) in enumerate(spans)
    ]


def words_of(text: str, tokenizer: Tokenizer) -> tuple[tuple[int, int], ...]:
    """Where the words of a text are, in code points: first and past-the-last of each.

    By BERT's splitting at white space and punctuation, and of CJK ideographs where a WordPiece
    tokenizer sets them apart. Together they are all of the text but its white space. The other
    kinds' own splitting leaves punctuation at its word or a blank before it, which no labelled
    data does.
    """
    backend = tokenizer.backend
    is_wordpiece = tokenizer.kind == "WordPiece"
    splitter = backend.pre_tokenizer if is_wordpiece else pre_tokenizers.BertPreTokenizer()
    spans = [span for _, span in splitter.pre_tokenize_str(replace_surrogates(text))]
    if not is_wordpiece or text.isascii() or backend.normalizer is None:
        return tuple(spans)
    normalise = backend.normalizer.normalize_str
    found: list[tuple[int, int]] = []
    for start, end in spans:
        word = replace_surrogates(text[start:end])
        is_split = not word.isascii() and " " in normalise(word)
        apart = {letter for letter in word if " " in normalise(letter)} if is_split else set()
        if not apart:
            found.append((start, end))
            continue
        letters = "".join(map(re.escape, apart))
        parts = re.finditer(f"[{letters}]|[^{letters}]+", word)
        found += [(start + part.start(), start + part.end()) for part in parts]
    return tuple(found)


def _spans(starts: Ids, ends: Ids, room: int, stride: int) -> Iterator[tuple[int, int]]:
    """First and past-the-last word of each window."""
    first = 0
    while True:
        begin = starts[first] if len(starts) else 0
        last = int(np.searchsorted(ends, begin + room, side="right"))
        yield first, last
        if last == len(ends):
            return
        # As much as may be shared, but the next word must fit.
        begin = max(ends[last - 1] - stride, ends[last] - room)
        first = int(np.searchsorted(starts, begin, side="left"))


def _judges(starts: Ids, ends: Ids, spans: Sequence[tuple[int, int]]) -> Ids:
    """(W,) which window judges each word."""
    judge = np.zeros(len(starts), dtype=np.int64)
    if len(spans) == 1:
        return judge
    widest = np.full(len(starts), -1)
    for number, (first, last) in enumerate(spans):
        held = slice(first, last)
        context = np.minimum(starts[held] - starts[first], ends[last - 1] - ends[held])
        is_wider = context > widest[held]
        judge[held][is_wider] = number
        widest[held][is_wider] = context[is_wider]
    return judge


def _window(
    words: Words,
    starts: Ids,
    layout: Layout,
    first: int,
    last: int,
    is_judged: NDArray[np.bool_],
) -> WordWindow:
    sizes = words.sizes[first:last]
    begin = starts[first] if first < last else 0
    inner = words.ids[begin : begin + sizes.sum()]
    marks = np.where(is_judged, np.arange(first, last), IGNORED)
    input_ids, before = layout.single(inner), len(layout.start)
    owners = np.full(len(input_ids), IGNORED, dtype=np.int64)
    owners[before : before + len(inner)] = np.repeat(marks, sizes)
    is_first = np.zeros(len(input_ids), dtype=np.bool_)
    is_first[starts[first:last] - begin + before] = marks != IGNORED
    return WordWindow(input_ids, owners, is_first)
