"""Every token of a long text stands in some window, and windows share what they should."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unmask.tasks.encoding import pair, single, spans
from unmask.text.layout import Layout
from unmask.text.special import SpecialIds

SPECIAL = SpecialIds(pad=0, unk=1, cls=2, sep=3, mask=4)
LAYOUT = Layout.bert(2, 3)


@given(st.integers(0, 200), st.integers(1, 40), st.integers(0, 39))
def test_spans_cover_all_and_share_the_stride(length: int, room: int, stride: int) -> None:
    found = list(spans(length, room, stride))

    assert found[0][0] == 0
    assert found[-1][1] == length
    assert all(stop - start <= room for start, stop in found)
    shared = min(stride, room // 2)
    assert all(before - start == shared for (_, before), (start, _) in pairwise(found))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(16, 40))
def test_pairs_keep_the_shorter_text_in_every_window(first: int, second: int, longest: int) -> None:
    a, b = np.arange(100, 100 + first), np.arange(200, 200 + second)
    windows = pair(a, b, LAYOUT, longest, 3)

    assert all(len(window.input_ids) <= longest for window in windows)
    seen = {int(i) for window in windows for i in window.input_ids}
    room = longest - 3
    longer, shorter = (a, b) if first >= second else (b, a)
    assert set(longer.tolist()) <= seen
    kept = shorter if first + second <= room else shorter[: room // 2]
    for window in windows:
        ids = window.input_ids.tolist()
        assert set(kept.tolist()) <= set(ids)
        assert ids[0] == SPECIAL.cls
        assert ids[window.num_first - 1] == ids[-1] == SPECIAL.sep
        assert ids.count(SPECIAL.sep) == 2


def test_a_text_that_fits_is_one_window() -> None:
    (window,) = single(np.array([7, 8, 9]), LAYOUT, 5, 1)

    assert window.input_ids.tolist() == [2, 7, 8, 9, 3]
    assert window.num_first == 5
    assert len(single(np.arange(10), LAYOUT, 6, 1)) == 3
