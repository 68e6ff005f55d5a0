"""Positions as rotations of queries and keys, and attention that reaches all the way or not far."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from unmask.nn.attention import SelfAttention
from unmask.nn.context import Context, Group, make_context
from unmask.nn.linear import affine


@dataclass(frozen=True)
class Angles:
    """Cosines and sines of every token's rotation, (N, 1, W) each."""

    cosine: Tensor
    sine: Tensor

    def turn(self, heads: Tensor) -> Tensor:
        """(N, H, W) queries or keys, turned: pairs are a number of the first and second half."""
        wide = heads if heads.dtype is torch.float64 else heads.float()
        first, second = wide.chunk(2, dim=-1)
        by_a_right_angle = torch.cat((-second, first), dim=-1)
        return (wide * self.cosine + by_a_right_angle * self.sine).to(heads.dtype)

    def at(self, rows: Tensor) -> Angles:
        """Of some tokens."""
        return Angles(self.cosine[rows], self.sine[rows])


@dataclass(frozen=True)
class NearGroup(Group):
    """A group whose tokens see only as far as `reach` to either side."""

    reach: int
    positions: Tensor | None
    """(B, Tq) of the queries, where not every token asks."""
    device: torch.device

    def masked(self) -> Group:
        """The same as a plain mask (B, 1, Tq, Tk)."""
        _, num_queries, num_keys = self.shape
        asking = self.positions
        if asking is None:
            asking = torch.arange(num_queries, device=self.device)[None]
        keys = torch.arange(num_keys, device=self.device)
        near = (asking[:, None, :, None] - keys).abs() <= self.reach
        return Group(self.shape, _never_blind(near if self.mask is None else near & self.mask))


@dataclass(frozen=True)
class RotaryView(Context):
    """A context as the layers of one reach see it."""

    key_angles: Angles
    query_angles: Angles
    """The same, where every token asks."""


@dataclass(frozen=True)
class RotaryContext:
    """What layers that reach all the way read, and those that do not."""

    full: RotaryView
    near: RotaryView
    reach: int
    position_ids: Tensor
    """(N,) of all tokens, counted from 0 in each sequence."""

    @property
    def lengths(self) -> tuple[int, ...]:
        """(B,) tokens of each sequence."""
        return self.full.lengths

    def at(self, rows: Tensor) -> RotaryContext:
        """See `Context.at`."""
        context = self.full.at(rows)
        asking = self.position_ids[rows]
        spread = asking if context.queries is None else asking[context.queries.rows]
        full, near = (
            (view.key_angles, view.query_angles.at(rows)) for view in (self.full, self.near)
        )
        return _views(context, full, near, self.reach, self.position_ids, spread)


class RotaryPositions(nn.Module):
    """Makes the context of encoders whose queries and keys are turned by their positions.

    Su et al. 2021 (RoFormer), section 3.2.2; Warner et al. 2024 have another base where attention
    is local.
    """

    def __init__(self, head_width: int, theta: float, near_theta: float, reach: int) -> None:
        super().__init__()
        self.head_width = head_width
        self.thetas = (theta, near_theta)
        self.reach = reach

    def forward(self, lengths: tuple[int, ...], position_ids: Tensor) -> RotaryContext:
        """`position_ids` (N,), counted from 0 in each sequence."""
        context = make_context(lengths, position_ids.device)
        full, near = ((a, a) for a in (self._angles(t, position_ids) for t in self.thetas))
        return _views(context, full, near, self.reach, position_ids, None)

    def _angles(self, theta: float, position_ids: Tensor) -> Angles:
        exponents = torch.arange(0, self.head_width, 2, device=position_ids.device)
        frequencies = 1.0 / theta ** (exponents.float() / self.head_width)
        radians = position_ids[:, None, None].float() * frequencies  # (N, 1, W / 2)
        both = torch.cat((radians, radians), dim=-1)
        return Angles(both.cos(), both.sin())


def _views(
    context: Context,
    full: tuple[Angles, Angles],
    near: tuple[Angles, Angles],
    reach: int,
    position_ids: Tensor,
    asking: Tensor | None,
) -> RotaryContext:
    """`asking` are the positions of the queries as they lie in the groups, if not every token's."""
    parts = (context.lengths, context.groups, context.queries, context.keys)
    sizes = [num_sequences * num_queries for num_sequences, num_queries, _ in context.shapes]
    positions = [None] * len(sizes) if asking is None else torch.split(asking, sizes)
    groups = tuple(
        group
        if group.shape[2] <= reach + 1
        else NearGroup(
            group.shape,
            group.mask,
            reach,
            None if own is None else own.view(group.shape[:2]),
            position_ids.device,
        )
        for group, own in zip(context.groups, positions, strict=True)
    )
    return RotaryContext(
        RotaryView(*parts, *full),
        replace(RotaryView(*parts, *near), groups=groups),
        reach,
        position_ids,
    )


class RotarySelfAttention(SelfAttention):
    """`SelfAttention` whose queries and keys are turned; `view` says which of a context's views."""

    def __init__(
        self,
        hidden_size: int,
        num_attention_heads: int,
        dropout_rate: float,
        view: Callable[[Any], RotaryView],
        *,
        bias: bool,
    ) -> None:
        super().__init__(hidden_size, num_attention_heads, dropout_rate, bias=bias)
        self.view = view

    def forward(self, x: Tensor, context: Any, rows: Tensor | None = None) -> Tensor:
        """(N, D) to (N, D), or to (M, D); the context is a `RotaryContext`."""
        return super().forward(x, self.view(context), rows)

    def _scores(self, x: Tensor, context: Any) -> Iterator[Tensor]:
        view = self.view(context)
        query, key, _ = self.qkv(x).view(len(x), 3, self.num_heads, -1).unbind(1)  # (N, H, W)
        query = view.query_angles.turn(query) * self.head_width**-0.5
        key = view.key_angles.turn(key)
        near = next((g.reach for g in view.groups if isinstance(g, NearGroup)), len(x))
        for q, k in zip(
            torch.split(query, list(view.lengths)),
            torch.split(key, list(view.lengths)),
            strict=True,
        ):
            places = torch.arange(len(q), device=x.device)
            is_far = (places[:, None] - places).abs() > near
            yield torch.einsum("qhw,khw->hqk", q, k).masked_fill(is_far, float("-inf"))

    def _laid_out(self, x: Tensor, context: Context, rows: Tensor | None) -> Any:
        assert isinstance(context, RotaryView)
        width, heads = x.shape[-1], (self.num_heads, self.head_width)
        weight, bias = self.qkv.weight, self.qkv.bias
        keys = [(num_sequences, length) for num_sequences, _, length in context.shapes]
        if rows is None:
            query, key, value = self.qkv(x).chunk(3, dim=-1)
        else:
            query = affine(
                x.index_select(0, rows), weight[:width], None if bias is None else bias[:width]
            )
            asked_for = affine(x, weight[width:], None if bias is None else bias[width:])
            key, value = asked_for.chunk(2, dim=-1)
        query = context.query_angles.turn(query.view(-1, *heads)).flatten(1)
        key = context.key_angles.turn(key.view(-1, *heads)).flatten(1)
        queries = [(num_sequences, length) for num_sequences, length, _ in context.shapes]
        asking = self._by_group(query, context.queries, queries)
        asked = self._by_group(torch.cat((key, value), dim=-1), context.keys, keys)
        return [q + kv for q, kv in zip(asking, asked, strict=True)]

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, group: Group) -> Tensor:
        if not isinstance(group, NearGroup):
            return super()._attend(q, k, v, group)
        if group.positions is not None or group.shape[2] <= 4 * group.reach:
            return super()._attend(q, k, v, group.masked())
        return self._in_blocks(q, k, v, group)

    def _in_blocks(self, q: Tensor, k: Tensor, v: Tensor, group: NearGroup) -> Tensor:
        """Of long sequences, only the keys within reach of each run of queries are compared."""
        reach, length = group.reach, group.shape[2]
        attended = []
        for start in range(0, length, 2 * reach):
            stop = min(start + 2 * reach, length)
            first, last = max(0, start - reach), min(length, stop + reach)
            asking = torch.arange(start, stop, device=q.device)
            keys = torch.arange(first, last, device=q.device)
            mask = (asking[:, None] - keys).abs()[None, None] <= reach
            if group.mask is not None:
                mask = _never_blind(mask & group.mask[..., first:last])
            part = Group((len(q), stop - start, last - first), mask)
            attended.append(
                super()._attend(q[:, :, start:stop], k[:, :, first:last], v[:, :, first:last], part)
            )
        return torch.cat(attended, dim=2)


def _never_blind(mask: Tensor) -> Tensor:
    """The mask with queries that see nothing, which slots over may be, seeing everything.

    A softmax over nothing is not a number, and its gradient spoils that of the keys.
    """
    return mask | ~mask.any(dim=-1, keepdim=True)
