"""Where each sequence lies in a packed batch, worked out once per forward for every attention.

Attention alone must know where sequences end. Sequences of near-equal length are laid side by side
as a dense group, because a CPU has no variable-length kernel; when all are equally long, which is
the common case in pretraining, the packed tokens already are that group and nothing moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unmask.nn import slots
from unmask.nn.slots import Slots

GROUP_COST = 4096
"""Pairs of tokens that attention compares in the time which one more group costs by itself."""


@dataclass(frozen=True)
class Group:
    """B sequences of one batch that attention treats as a dense block."""

    shape: tuple[int, int, int]
    """B, queries of each, keys of each."""
    mask: Tensor | None
    """(B, 1, 1 or Tq, Tk) bool, True = attend; None where every key is real."""


@dataclass(frozen=True)
class Context:
    """The groups of a batch, and the way between them and packed order."""

    lengths: tuple[int, ...]
    """(B,) tokens of each sequence."""
    groups: tuple[Group, ...]
    queries: Slots | None
    """Where the rows that ask lie in the groups, which follow each other; None: as they are."""
    keys: Slots | None
    """The same for the rows that are asked; it is `queries` where every row asks."""

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Of the groups."""
        return [group.shape for group in self.groups]

    def at(self, rows: Tensor) -> Context:
        """The context in which only `rows` ask: (M,) int64, ascending packed positions."""
        lengths = torch.tensor(self.lengths, device=rows.device)
        owners = torch.repeat_interleave(
            torch.arange(len(self.lengths), device=rows.device), lengths
        )[rows]  # (M,)
        counts = torch.bincount(owners, minlength=len(self.lengths))
        return make_context(self.lengths, rows.device, query_counts=tuple(counts.tolist()))


def cut(lengths: Sequence[int]) -> list[list[int]]:
    """Sequence numbers by group, longest first; no group pads more than another would cost."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    members: list[list[int]] = []
    wasted = 0
    for i in order:
        wasted += lengths[members[-1][0]] ** 2 - lengths[i] ** 2 if members else 0
        if members and wasted <= GROUP_COST:
            members[-1].append(i)
        else:
            members.append([i])
            wasted = 0
    return members


def make_context(
    lengths: Sequence[int],
    device: torch.device,
    *,
    query_counts: Sequence[int] | None = None,
) -> Context:
    """Groups the sequences of a packed batch.

    `query_counts` (B,) says how many rows of each sequence ask, when not all do; the query tensor
    then holds just those rows, in packed order.
    """
    asking = tuple(lengths) if query_counts is None else tuple(query_counts)
    if len(set(lengths)) == 1 and len(set(asking)) == 1:
        return Context(
            tuple(lengths), (Group((len(asking), asking[0], lengths[0]), None),), None, None
        )
    members = cut(lengths)
    key_widths = [lengths[some[0]] for some in members]
    keys, masks = slots.make(lengths, members, key_widths, device)
    queries, query_widths = keys, key_widths
    if query_counts is not None:
        # A sequence of which no row asks still has a slot, unless nobody asks at all.
        query_widths = [max(min(1, sum(asking)), *(asking[i] for i in some)) for some in members]
        queries, _ = slots.make(asking, members, query_widths, device)
    groups = tuple(
        Group((len(some), num_queries, num_keys), mask)
        for some, num_queries, num_keys, mask in zip(
            members, query_widths, key_widths, masks, strict=True
        )
    )
    return Context(tuple(lengths), groups, queries, keys)


class PackedContext(nn.Module):
    """Makes the context of encoders whose attention needs nothing but the sequence lengths."""

    def forward(self, lengths: tuple[int, ...], position_ids: Tensor) -> Context:
        """`position_ids` (N,) only tells the device here; rotary families read more from it."""
        return make_context(lengths, position_ids.device)
