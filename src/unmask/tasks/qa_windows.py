"""Questions and their contexts as overlapping windows, each token with its place in the context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.data.labelled.examples import Answer
from unmask.data.windows import Window
from unmask.tasks.encoding import Ids, spans
from unmask.text.layout import Layout
from unmask.text.tokenizer import Tokenizer

NOWHERE = -1
"""The place of tokens that are not of the context."""
START, END = "start", "end"
"""The terms of the loss."""
Span = tuple[int, int]
"""The first and the last token of an answer in its context."""
NO_SPAN: Span = (NOWHERE, NOWHERE)
_CHARACTERS_AT_ONCE = 2**18
"""Text handed to `tokenizers` at once, whose results are many times larger than ours."""


class Context(NamedTuple):
    """A context's tokens."""

    ids: Ids
    """(T,)"""
    places: NDArray[np.int64]
    """(T, 2) first and past-the-last code point of each token in the original text, ascending."""


def encode_contexts(texts: Iterable[str], tokenizer: Tokenizer) -> dict[str, Context]:
    """The tokens of contexts by their text, each encoded once however often it comes."""
    found: dict[str, Context] = {}
    for chunk in _chunks(dict.fromkeys(texts)):
        for text, encoded in zip(chunk, tokenizer.encode_many_with_offsets(chunk), strict=True):
            places = np.array(encoded.offsets, dtype=np.int64).reshape(-1, 2)
            if tokenizer.kind != "WordPiece":
                places = _without_blanks(places, text)
            found[text] = Context(np.array(encoded.ids, dtype=np.int64), places)
    return found


def _without_blanks(places: NDArray[np.int64], text: str) -> NDArray[np.int64]:
    """The places without the white space that some tokenizers count to the word after it."""
    for place in places:
        while place[0] < place[1] - 1 and text[place[0]].isspace():
            place[0] += 1
    return places


def token_span(places: NDArray[np.int64], answer: Answer) -> Span:
    """The first and the last token that share a character with the answer; `NO_SPAN` if none does.

    >>> places = np.array([[0, 3], [4, 6], [6, 9]])
    >>> token_span(places, Answer("nov 19", start=0)), token_span(places, Answer("19", start=4))
    ((0, 1), (1, 1))
    """
    first = int(np.searchsorted(places[:, 1], answer.start, side="right"))
    stop = int(np.searchsorted(places[:, 0], answer.start + len(answer.text), side="left"))
    return (first, stop - 1) if first < stop else NO_SPAN


def question_room(longest: int, max_length: int, layout: Layout) -> int:
    """Most tokens of a question: `max_length`, and at most half of what a window holds."""
    return min(max_length, (longest - layout.pair_cost) // 2)


def windows_of(
    question: Ids,
    context: Context,
    answer: Span | None,
    layout: Layout,
    longest: int,
    stride: int,
) -> list[Window]:
    """`[CLS]` question `[SEP]` a part of the context `[SEP]`, as often as the context needs.

    Neighbours share `stride` tokens of the context, but at most half of what a window has of it.
    The labels `start` and `end` are positions in the window: those of the `answer`, whose tokens
    are counted in the context, or of `[CLS]` unless it is wholly inside. None gives no labels.
    """
    head = layout.opening(question)
    room = longest - len(head) - len(layout.end)
    windows: list[Window] = []
    for start, stop in spans(len(context.ids), room, stride):
        input_ids = layout.pair(question, context.ids[start:stop])
        places = np.full((len(input_ids), 2), NOWHERE, dtype=np.int64)
        places[len(head) : len(head) + stop - start] = context.places[start:stop]
        labels: dict[str, NDArray[np.generic]] = {}
        if answer is not None:
            is_inside = start <= answer[0] and answer[1] < stop
            shift = len(head) - start
            positions = (answer[0] + shift, answer[1] + shift) if is_inside else (0, 0)
            labels = {START: np.array([positions[0]]), END: np.array([positions[1]])}
        windows.append(Window(input_ids, len(head), labels, places))
    return windows


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    num_characters = 0
    for text in texts:
        if chunk and num_characters + len(text) > _CHARACTERS_AT_ONCE:
            yield chunk
            chunk, num_characters = [], 0
        chunk.append(text)
        num_characters += len(text)
    if chunk:
        yield chunk
