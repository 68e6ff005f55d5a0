"""Where sequences lie when each token sees only those near it.

A sequence of few windows is one dense block with a band mask. A longer one is cut into chunks as
long as half the window; the queries of a chunk see it and the two beside it, so that the time grows
with the length and not with its square (Beltagy et al. 2020, arXiv 2004.05150, section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from unmask.nn import slots
from unmask.nn.context import Context, Group, cut
from unmask.nn.slots import Slots

LEAST_CHUNK = 32
"""Tokens of a chunk at least; shorter ones are too little work for a product."""
_NOWHERE = 2**62
"""Where a slot without a token lies: far from all."""


@dataclass(frozen=True)
class Chunks(Group):
    """B chunks in the order of their sequences, of which each sees its neighbours too.

    The mask (B, 1, Tq, 3 Tk) is over the chunk before, the chunk itself and the one after it.
    """


def with_neighbours(chunks: Tensor) -> Tensor:
    """(B, H, T, W) to (B, H, 3 T, W): before the first chunk stands the last one."""
    length = chunks.shape[2]
    around = torch.cat((chunks[-1:], chunks, chunks[:1])).transpose(1, 2)  # (B + 2, T, H, W)
    rows = around.reshape(-1, *around.shape[2:])
    windows = rows.unfold(0, 3 * length, length)  # (B, H, W, 3 T)
    return windows.transpose(2, 3)


@dataclass(frozen=True)
class _Pieces:
    """Parts of sequences in packed order, and the blocks that they are laid out in."""

    lengths: list[int]
    members: list[list[int]]
    """Pieces of each block."""
    chunk: int
    has_chunks: bool
    """Whether the last block is of chunks."""

    @property
    def widths(self) -> list[int]:
        """Slots of a piece in each block."""
        widths = [max(self.lengths[i] for i in some) for some in self.members]
        return [*widths[:-1], self.chunk] if self.has_chunks else widths


def make_windowed(
    lengths: Sequence[int], device: torch.device, half_window: int, rows: Tensor | None = None
) -> Context:
    """Groups in which a token sees at most `half_window` tokens to either side of it.

    `rows` (M,) int64, ascending packed positions, are those that ask, where not all do.
    """
    pieces = _pieces(lengths, max(half_window, LEAST_CHUNK))
    widths = pieces.widths
    keys, real = slots.make(pieces.lengths, pieces.members, widths, device)
    queries, query_widths = keys, widths
    if rows is not None:
        counts = _counts(pieces.lengths, rows)
        query_widths = [
            max(min(1, len(rows)), *(counts[i] for i in some)) for some in pieces.members
        ]
        queries, _ = slots.make(counts, pieces.members, query_widths, device)
    places = _places(lengths, device, half_window)
    masks = _masks(
        pieces,
        (places if rows is None else places[rows], queries, query_widths),
        (places, keys, widths),
        real,
        half_window,
    )
    kinds = [Group] * len(widths)
    if pieces.has_chunks:
        kinds[-1] = Chunks
    groups = [
        kind((len(some), num_queries, num_keys), mask)
        for kind, some, num_queries, num_keys, mask in zip(
            kinds, pieces.members, query_widths, widths, masks, strict=True
        )
    ]
    return Context(tuple(lengths), tuple(groups), queries, keys)


def _pieces(lengths: Sequence[int], chunk: int) -> _Pieces:
    """Sequences longer than the three chunks that a chunk sees are cut, the others stay whole."""
    sizes: list[int] = []
    whole: list[int] = []
    chunks: list[int] = []
    for length in lengths:
        first = len(sizes)
        if length <= 3 * chunk:
            sizes.append(length)
            whole.append(first)
        else:
            sizes += [min(chunk, length - start) for start in range(0, length, chunk)]
            chunks += range(first, len(sizes))
    members = [[whole[i] for i in some] for some in cut([sizes[i] for i in whole])]
    return _Pieces(sizes, [*members, chunks] if chunks else members, chunk, bool(chunks))


def _counts(sizes: Sequence[int], rows: Tensor) -> list[int]:
    """Rows within each piece."""
    owners = torch.repeat_interleave(torch.tensor(sizes, device=rows.device))[rows]
    counts: list[int] = torch.bincount(owners, minlength=len(sizes)).tolist()
    return counts


def _places(lengths: Sequence[int], device: torch.device, half_window: int) -> Tensor:
    """(N,) numbers that differ by more than `half_window` between sequences, by 1 within one."""
    sizes = torch.tensor(lengths, device=device)
    owners = torch.repeat_interleave(sizes)
    return torch.arange(len(owners), device=device) + owners * (half_window + 1)


def _masks(
    pieces: _Pieces,
    asking: tuple[Tensor, Slots, list[int]],
    asked: tuple[Tensor, Slots, list[int]],
    real: Sequence[Tensor | None],
    half_window: int,
) -> list[Tensor | None]:
    """One for each group; None where all that is there is near."""
    masks: list[Tensor | None] = []
    blocks = zip(
        _split(pieces, *asking), _split(pieces, *asked), real, strict=True
    )  # (B, Tq) and (B, Tk)
    for number, (queries, keys, is_real) in enumerate(blocks):
        if is_real is not None:
            keys = keys.masked_fill(~is_real[:, 0, 0], _NOWHERE)
        if pieces.has_chunks and number == len(real) - 1:
            keys = with_neighbours(keys[:, None, :, None])[:, 0, :, 0]  # (B, 3 Tk)
        elif keys.shape[1] <= half_window + 1:
            masks.append(is_real)
            continue
        near = (queries[:, None, :, None] - keys[:, None, None, :]).abs() <= half_window
        if asking[1] is not asked[1]:
            # A piece of which no row asks has a slot with a row of another's, which sees nothing
            # here. Nobody reads what comes of it, but it must be a number.
            near = near | ~near.any(dim=-1, keepdim=True)
        masks.append(near)
    return masks


def _split(pieces: _Pieces, places: Tensor, laid: Slots, widths: Sequence[int]) -> list[Tensor]:
    """(B, T) places of each block's slots."""
    spread = places.index_select(0, laid.rows)
    ends = [0]
    for some, width in zip(pieces.members, widths, strict=True):
        ends.append(ends[-1] + len(some) * width)
    return [
        spread[start:stop].view(len(some), -1)
        for (start, stop), some in zip(pairwise(ends), pieces.members, strict=True)
    ]
