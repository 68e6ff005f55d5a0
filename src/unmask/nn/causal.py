"""A context in which no token sees what follows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from unmask.nn.context import Context, Group, make_context


class CausalContext(nn.Module):
    """As `PackedContext`, but each query attends to itself and to what stands before it.

    Real keys come first in every group, so that this mask hides the padding too.
    """

    def forward(self, lengths: tuple[int, ...], position_ids: Tensor) -> Context:
        """`position_ids` (N,), counted from 0 in each sequence."""
        return _causal(make_context(lengths, position_ids.device), position_ids, position_ids)


@dataclass(frozen=True)
class _Causal(Context):
    """A context that knows where every token stands, so that fewer may ask."""

    position_ids: Tensor
    """(N,) of all tokens."""

    def at(self, rows: Tensor) -> Context:
        """See `Context.at`."""
        return _causal(super().at(rows), self.position_ids[rows], self.position_ids)


def _causal(context: Context, asking: Tensor, position_ids: Tensor) -> _Causal:
    """With masks by the positions (M,) of the rows that ask."""
    groups = tuple(_masked(context, asking))
    return _Causal(context.lengths, groups, context.queries, context.keys, position_ids)


def _masked(context: Context, positions: Tensor) -> Sequence[Group]:
    """The groups with a mask (B, 1, Tq, Tk): keys up to the query's own position."""
    spread = positions if context.queries is None else positions[context.queries.rows]
    sizes = [num_sequences * num_queries for num_sequences, num_queries, _ in context.shapes]
    groups = []
    for group, part in zip(context.groups, torch.split(spread, sizes), strict=True):
        num_sequences, num_queries, num_keys = group.shape
        asking = part.view(num_sequences, 1, num_queries, 1)
        mask = torch.arange(num_keys, device=part.device) <= asking
        groups.append(replace(group, mask=mask))
    return groups
