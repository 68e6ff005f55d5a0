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

PADDING_RATE = 0.125
"""A group is closed when a further sequence would be padded by more than this share of it."""


@dataclass(frozen=True)
class Group:
    """B sequences of one batch that attention treats as a dense block."""

    shape: tuple[int, int, int]
    """B, queries of each, keys of each."""
    queries: Tensor | None
    """(B, Tq) int64 rows of the query tensor; None where a plain reshape does it."""
    keys: Tensor | None
    """(B, Tk) int64 rows of the key tensor; None where a plain reshape does it."""
    mask: Tensor | None
    """(B, 1, 1, Tk) bool, True = attend; None where every key is real."""


@dataclass(frozen=True)
class Context:
    """The groups of a batch, and the way back from them to packed order."""

    lengths: tuple[int, ...]
    """(B,) tokens of each sequence."""
    groups: tuple[Group, ...]
    restore: Tensor | None
    """(M,) int64: entry r of the packed result lies at restore[r] of the groups' flat results."""

    def at(self, rows: Tensor) -> Context:
        """The context in which only `rows` ask: (M,) int64, ascending packed positions."""
        lengths = torch.tensor(self.lengths, device=rows.device)
        owners = torch.repeat_interleave(
            torch.arange(len(self.lengths), device=rows.device), lengths
        )[rows]  # (M,)
        counts = torch.bincount(owners, minlength=len(self.lengths))
        return make_context(self.lengths, rows.device, query_counts=tuple(counts.tolist()))


def _cut(lengths: Sequence[int]) -> list[list[int]]:
    """Sequence numbers by group, longest first; every group wastes at most PADDING_RATE."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    cut: list[list[int]] = []
    for i in order:
        if cut and lengths[i] >= lengths[cut[-1][0]] * (1.0 - PADDING_RATE):
            cut[-1].append(i)
        else:
            cut.append([i])
    return cut


def _table(starts: Tensor, counts: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """(B, width) rows counted from each start, and which of them are real."""
    steps = torch.arange(width, device=starts.device)
    real = steps < counts[:, None]  # (B, width)
    return torch.where(real, starts[:, None] + steps, starts[:, None]), real


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
    dense_keys = len(set(lengths)) == 1
    if dense_keys and len(set(asking)) == 1:
        group = Group((len(asking), asking[0], lengths[0]), None, None, None)
        return Context(tuple(lengths), (group,), None)

    key_counts = torch.tensor(lengths, device=device)
    row_counts = torch.tensor(asking, device=device)
    key_starts = torch.cumsum(key_counts, 0) - key_counts
    row_starts = torch.cumsum(row_counts, 0) - row_counts
    groups: list[Group] = []
    restore = torch.empty(sum(asking), dtype=torch.int64, device=device)
    offset = 0
    for members in _cut(lengths):
        chosen = torch.tensor(members, device=device)
        num_queries, num_keys = max(asking[i] for i in members), lengths[members[0]]
        if num_queries == 0 and any(asking):
            continue  # but where nobody asks at all, attention still needs a group to answer with
        queries, real_queries = _table(row_starts[chosen], row_counts[chosen], num_queries)
        keys, real_keys = _table(key_starts[chosen], key_counts[chosen], num_keys)
        # A sequence without rows borrows another's; a start past the end is no row at all.
        queries = queries.clamp(max=sum(asking) - 1)
        even = all(lengths[i] == num_keys for i in members)
        groups.append(
            Group(
                (len(members), num_queries, num_keys),
                queries,
                keys,
                None if even else real_keys[:, None, None, :],
            )
        )
        places = offset + torch.arange(queries.numel(), device=device).view_as(queries)
        restore[queries[real_queries]] = places[real_queries]
        offset += queries.numel()
    return Context(tuple(lengths), tuple(groups), restore)


class PackedContext(nn.Module):
    """Makes the context of encoders whose attention needs nothing but the sequence lengths."""

    def forward(self, lengths: tuple[int, ...], position_ids: Tensor) -> Context:
        """`position_ids` (N,) only tells the device here; rotary families read more from it."""
        return make_context(lengths, position_ids.device)
