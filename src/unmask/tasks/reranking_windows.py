"""A query and a document as one sequence, and what becomes of them where both do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.data.windows import Window
from unmask.tasks.encoding import Ids, spans
from unmask.text.layout import Layout

TERM = "relevance"
"""The loss term, and the label of each window: its document's grade."""


def kept(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens are read of two texts that may not fit.

    The longer one is cut, down to the shorter one's length, as by transformers' `longest_first`:

    >>> kept(8, 90, 50), kept(40, 90, 50), kept(90, 8, 51), kept(30, 30, 51)
    ((8, 42), (25, 25), (43, 8), (25, 26))
    """
    if first + second <= room:
        return first, second
    half = room // 2
    if first <= second:
        first = min(first, half)
        return first, room - first
    second = min(second, half)
    return room - second, second


def beside(
    query: Ids,
    documents: Sequence[Ids],
    grades: NDArray[np.floating[Any]] | None,
    layout: Layout,
    room: int,
) -> list[Window]:
    """The query with each document, of both together `room` tokens at most, and its grade."""
    windows = []
    for number, document in enumerate(documents):
        label = {} if grades is None else {TERM: grades[number : number + 1].astype(np.float32)}
        windows.append(replace(_joined(query, document, layout, room), labels=label))
    return windows


def covering(
    query: Ids, documents: Sequence[Ids], layout: Layout, room: int, stride: int
) -> list[Window]:
    """The query with every part of each document in turn, neighbours sharing `stride` tokens.

    A query that fills more than half of the room is cut to that. Each window stands on the number
    of its document, which `best` goes by.
    """
    windows = []
    for number, document in enumerate(documents):
        fits = len(query) + len(document) <= room
        own = query if fits else query[: room // 2]
        for start, stop in spans(len(document), room - len(own), stride):
            window = _joined(own, document[start:stop], layout, room)
            windows.append(replace(window, places=np.full(len(window.input_ids), number)))
    return windows


def best(windows: Sequence[Window], logits: NDArray[np.floating[Any]]) -> Any:
    """(D,) the best of (W,) logits of each document, whose windows follow each other."""
    numbers = np.array([-1 if one.places is None else int(one.places[0]) for one in windows])
    return np.maximum.reduceat(logits, np.flatnonzero(np.diff(numbers, prepend=-1)))


def _joined(query: Ids, document: Ids, layout: Layout, room: int) -> Window:
    """`[CLS]` query `[SEP]` document `[SEP]`."""
    of_query, of_document = kept(len(query), len(document), room)
    opening = layout.opening(query[:of_query])
    return Window(layout.pair(query[:of_query], document[:of_document]), len(opening))
