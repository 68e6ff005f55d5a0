"""Attention whose scores also depend on how far away a key stands, by one table for all blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.nn import written_out
from unmask.nn.attention import SelfAttention
from unmask.nn.context import Context, Group, make_context


@dataclass(frozen=True)
class BiasedGroup(Group):
    """A group with what is added to its scores."""

    bias: Tensor
    """(1 or B, H, Tq, Tk)."""


@dataclass(frozen=True)
class BiasedContext(Context):
    """A context that knows every bias, and where every token stands, so that fewer may ask."""

    biases: Tensor
    """(H, T, T) of the longest sequence, queries before keys; every group reads a part of it."""
    position_ids: Tensor
    """(N,) of all tokens, counted from 0 in each sequence."""

    def at(self, rows: Tensor) -> BiasedContext:
        """See `Context.at`."""
        context = super().at(rows)
        asking = self.position_ids[rows]
        if context.queries is not None:
            asking = asking[context.queries.rows]
        groups: list[Group] = []
        sizes = [num_sequences * num_queries for num_sequences, num_queries, _ in context.shapes]
        for group, positions in zip(context.groups, torch.split(asking, sizes), strict=True):
            num_sequences, num_queries, num_keys = group.shape
            picked = self.biases[..., :num_keys].index_select(1, positions)  # (H, B * Tq, Tk)
            shape = (len(picked), num_sequences, num_queries, num_keys)
            groups.append(BiasedGroup(group.shape, group.mask, picked.view(shape).transpose(0, 1)))
        return BiasedContext(
            context.lengths,
            tuple(groups),
            context.queries,
            context.keys,
            self.biases,
            self.position_ids,
        )


class RelativeBiasContext(nn.Module):
    """Holds a bias for each head and bucket of distances, and lays it out once per forward.

    Raffel et al. 2020 (T5), section 2.1; Song et al. 2020 (MPNet) has it beside absolute positions.
    """

    def __init__(self, num_buckets: int, num_attention_heads: int, max_distance: int) -> None:
        super().__init__()
        self.table = nn.Embedding(num_buckets, num_attention_heads)
        self.max_distance = max_distance

    def forward(self, lengths: tuple[int, ...], position_ids: Tensor) -> BiasedContext:
        """`position_ids` (N,), counted from 0 in each sequence."""
        context = make_context(lengths, position_ids.device)
        biases = self._biases(max(lengths), position_ids.device)
        groups = tuple(
            BiasedGroup(
                group.shape, group.mask, biases[None, :, : group.shape[1], : group.shape[2]]
            )
            for group in context.groups
        )
        return BiasedContext(
            context.lengths, groups, context.queries, context.keys, biases, position_ids
        )

    def _biases(self, length: int, device: torch.device) -> Tensor:
        """(H, T, T): one row is another shifted, so that only 2 T - 1 distances are looked up."""
        distances = torch.arange(1 - length, length, device=device)
        buckets = bucket(distances, self.table.num_embeddings, self.max_distance)
        by_distance: Tensor = self.table(buckets).t()  # (H, 2 T - 1)
        # The last query is the one for which the first key is farthest to the left.
        return by_distance.unfold(1, length, 1).flip(1)


def bucket(distances: Tensor, num_buckets: int, max_distance: int) -> Tensor:
    """Int64 distances from query to key, negative to the left, to buckets of the same shape.

    Half of the buckets are for keys to the right. Of each half the first half holds one distance
    each and the rest grow geometrically up to `max_distance`, beyond which all fall into the last
    (mesh_tensorflow, `transformer_layers.py`, `_relative_position_bucket`).
    """
    half = num_buckets // 2
    exact = half // 2
    far = distances.abs()
    growth = torch.log(far.clamp(min=exact).float() / exact) / math.log(max_distance / exact)
    logarithmic = (exact + (growth * (half - exact)).long()).clamp(max=half - 1)
    return torch.where(far < exact, far, logarithmic) + half * (distances > 0)


class BiasedSelfAttention(SelfAttention):
    """`SelfAttention` to whose scores a `RelativeBiasContext` adds its biases."""

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, group: Group) -> Tensor:
        assert isinstance(group, BiasedGroup), "the context holds no biases"
        rate = self.dropout.current_rate
        bias, mask = group.bias.to(q.dtype), group.mask
        if q.device.type == "cpu" and (rate or q.requires_grad or bias.requires_grad):
            # On a CPU dropout, or a gradient of what is added, takes SDPA off its fast path.
            return written_out.attend(q, k, v, mask, rate, bias)
        if mask is not None:
            bias = bias.masked_fill(~mask, float("-inf"))  # (B, H, Tq, Tk)
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=rate)

    def _scores(self, x: Tensor, context: Context) -> Iterator[Tensor]:
        assert isinstance(context, BiasedContext), "the context holds no biases"
        for scores, length in zip(super()._scores(x, context), context.lengths, strict=True):
            yield scores + context.biases[:, :length, :length]
