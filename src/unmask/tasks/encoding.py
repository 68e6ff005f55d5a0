"""Texts between special tokens, and what does not fit cut into overlapping windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from unmask.data.windows import Window
from unmask.text.layout import Layout
from unmask.text.tokenizer import Tokenizer

Ids = NDArray[np.int64]


def encode_texts(texts: Sequence[str], tokenizer: Tokenizer) -> list[Ids]:
    """The ids of many texts, (T,) each, without special tokens."""
    ids, lengths = tokenizer.encode_bulk(texts)
    return np.split(ids.astype(np.int64), np.cumsum(lengths)[:-1]) if len(texts) else []


def spans(length: int, room: int, stride: int) -> Iterator[tuple[int, int]]:
    """Where windows of at most `room` begin and end, neighbours sharing `stride`; at least one.

    They share at most half of the room, so that every window goes on.
    """
    stride = min(stride, room // 2)
    start = 0
    while True:
        stop = min(start + room, length)
        yield start, stop
        if stop == length:
            return
        start = stop - stride


def single(ids: Ids, layout: Layout, longest: int, stride: int) -> list[Window]:
    """`[CLS]` text `[SEP]`, as often as the text needs."""
    return [
        _window(layout, ids[start:stop])
        for start, stop in spans(len(ids), longest - layout.single_cost, stride)
    ]


def pair(first: Ids, second: Ids, layout: Layout, longest: int, stride: int) -> list[Window]:
    """`[CLS]` first `[SEP]` second `[SEP]`; where both do not fit, the longer one is windowed.

    The shorter one stays whole in every window, unless it has more than half the room, to which
    it is cut then.
    """
    room = longest - layout.pair_cost
    if len(first) + len(second) <= room:
        return [_window(layout, first, second)]
    if len(first) >= len(second):
        second = second[: room // 2]
        return [
            _window(layout, first[start:stop], second)
            for start, stop in spans(len(first), room - len(second), stride)
        ]
    first = first[: room // 2]
    return [
        _window(layout, first, second[start:stop])
        for start, stop in spans(len(second), room - len(first), stride)
    ]


def _window(layout: Layout, first: Ids, second: Ids | None = None) -> Window:
    if second is None:
        whole = layout.single(first)
        return Window(whole, len(whole))
    return Window(layout.pair(first, second), len(layout.opening(first)))
