"""Which segments are put together, so that there are few and adding stays cheap.

Bentley and Saxe 1980 ("Decomposable searching problems"): a segment is put together with all newer
ones as soon as these hold as much, so that sizes at least double from new to old. A passage is
copied about as often as the index doubles, and there are about log2(N) segments. That ends at
`MOST` passages: what is as large stays as it is, however much comes after it.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST = 500_000
"""Passages of a segment that is put together, which bounds the memory that this takes."""
PENDING = 16
"""Segments of one run that are put together while it goes on."""


def groups_of(sizes: Sequence[int], most: int = MOST) -> list[range]:
    """Which neighbouring segments to put together; `sizes` are passages, oldest first.

    >>> groups_of([100, 7, 4, 4]), groups_of([100, 7, 4])
    ([range(1, 4)], [])

    A segment that would grow past the most with all newer ones begins a count of its own, or it
    would be copied again for each that is added:

    >>> groups_of([100, 100, 4], most=100), groups_of([50, 50, 100, 4, 4], most=100)
    ([], [range(0, 2), range(3, 5)])
    """
    groups: list[range] = []
    newer, start, end = 0, len(sizes), len(sizes)
    for number in range(len(sizes) - 1, -1, -1):
        if newer + sizes[number] > most:
            groups.append(range(start, end))
            newer, start, end = 0, number + 1, number + 1
        if sizes[number] <= newer:
            start = number
        newer += sizes[number]
    groups.append(range(start, end))
    return [group for group in reversed(groups) if len(group) > 1]


def cut(sizes: Sequence[int], start: int, most: int = MOST) -> list[range]:
    """The segments from `start` on, in groups that are not too large; none of a single one."""
    groups: list[range] = []
    held = 0
    for number in range(start, len(sizes)):
        if held and held + sizes[number] > most:
            groups.append(range(start, number))
            start, held = number, 0
        held += sizes[number]
    groups.append(range(start, len(sizes)))
    return [group for group in groups if len(group) > 1]
