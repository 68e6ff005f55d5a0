"""Positions as rotations of queries and keys, and the context that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from unmask.nn.context import Context, make_context
from unmask.nn.window import make_windowed


@dataclass(frozen=True)
class Rotation:
    """By how much each row is turned: cosine and sine of W / 2 angles, (N, W / 2) float32 each."""

    cosine: Tensor
    sine: Tensor

    def at(self, rows: Tensor) -> Rotation:
        """Of `rows` (M,) alone."""
        return Rotation(self.cosine.index_select(0, rows), self.sine.index_select(0, rows))

    def of_sequence(self, start: int, stop: int) -> Rotation:
        """Of the rows from `start` up to `stop`."""
        return Rotation(self.cosine[start:stop], self.sine[start:stop])


def turned(packed: Tensor, num_turned: int, num_heads: int, rotation: Rotation) -> Tensor:
    """(N, parts * D), of which the first `num_turned` parts are turned head by head.

    RoPE (Su et al. 2021, arXiv 2104.09864, section 3.2) in the form of transformers'
    `rotate_half`: component i is a pair with component i + W / 2. In half precision the angles
    stay float32; transformers rounds them, ours wins.
    """
    result: Tensor = _Turn.apply(packed, rotation.cosine, rotation.sine, num_turned, num_heads)  # type: ignore[no-untyped-call]
    return result


class _Turn(torch.autograd.Function):
    """Backward turns the other way, so that nothing but the angles is kept."""

    @staticmethod
    def forward(
        ctx: Any, packed: Tensor, cosine: Tensor, sine: Tensor, num_turned: int, num_heads: int
    ) -> Tensor:
        ctx.save_for_backward(cosine, sine)
        ctx.numbers = num_turned, num_heads
        return _turn(packed, cosine, sine, num_turned, num_heads)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        cosine, sine = ctx.saved_tensors
        return _turn(gradients[0], cosine, -sine, *ctx.numbers), None, None, None, None


def _turn(packed: Tensor, cosine: Tensor, sine: Tensor, num_turned: int, num_heads: int) -> Tensor:
    half = cosine.shape[-1]
    width = num_turned * num_heads * 2 * half
    result = torch.empty_like(packed)
    result[:, width:] = packed[:, width:]
    shape = (len(packed), num_turned * num_heads, 2, half)
    first, second = packed[:, :width].view(shape).unbind(2)  # (N, heads, W / 2) each
    turned_first, turned_second = result[:, :width].view(shape).unbind(2)
    cosine, sine = cosine[:, None], sine[:, None]
    turned_first.copy_(first * cosine - second * sine)
    turned_second.copy_(second * cosine + first * sine)
    return result


@dataclass(frozen=True)
class RotaryContext(Context):
    """What one kind of attention gets: the groups, and how far rows are turned."""

    half_window: int | None
    """Tokens that are seen to either side; None for all."""
    asked: Rotation
    """Of all rows, as keys."""
    asking: Rotation
    """Of the rows that ask."""


@dataclass(frozen=True)
class RotaryContexts:
    """One context for each kind of attention that the encoder's blocks have."""

    kinds: tuple[RotaryContext, ...]

    def at(self, rows: Tensor) -> RotaryContexts:
        """The contexts in which only `rows` ask: (M,) int64, ascending packed positions."""
        return RotaryContexts(tuple(_asked_by(kind, rows) for kind in self.kinds))


@dataclass(frozen=True)
class RotaryKind:
    """One kind of attention."""

    theta: float
    """Base of the angles: pair i turns by theta^(-2 i / W) radians a token."""
    half_window: int | None = None
    """Tokens that are seen to either side; None for all."""


class RotaryPositions(nn.Module):
    """Makes the contexts of encoders that know positions by rotation alone."""

    def __init__(self, kinds: Sequence[RotaryKind], head_width: int) -> None:
        super().__init__()
        self.kinds = tuple(kinds)
        self.head_width = head_width

    def forward(self, lengths: tuple[int, ...], position_ids: Tensor) -> RotaryContexts:
        """`position_ids` (N,), counted from 0 in each sequence."""
        made = []
        for kind in self.kinds:
            rotation = self._rotation(kind.theta, max(lengths), position_ids)
            layout = _layout(lengths, position_ids.device, kind.half_window, None)
            made.append(_rotary(layout, kind.half_window, rotation, rotation))
        return RotaryContexts(tuple(made))

    def _rotation(self, theta: float, longest: int, position_ids: Tensor) -> Rotation:
        device = position_ids.device
        pairs = torch.arange(0, self.head_width, 2, dtype=torch.float32, device=device)
        frequencies = 1.0 / theta ** (pairs / self.head_width)  # (W / 2,)
        positions = torch.arange(longest, dtype=torch.float32, device=device)
        angles = positions[:, None] * frequencies  # (T, W / 2)
        return Rotation(angles.cos(), angles.sin()).at(position_ids)


def _asked_by(context: RotaryContext, rows: Tensor) -> RotaryContext:
    layout = _layout(context.lengths, rows.device, context.half_window, rows)
    return _rotary(layout, context.half_window, context.asked, context.asked.at(rows))


def _layout(
    lengths: tuple[int, ...], device: torch.device, half_window: int | None, rows: Tensor | None
) -> Context:
    if half_window is not None and max(lengths) > half_window + 1:
        return make_windowed(lengths, device, half_window, rows)
    context = make_context(lengths, device)
    return context if rows is None else context.at(rows)


def _rotary(
    layout: Context, half_window: int | None, asked: Rotation, asking: Rotation
) -> RotaryContext:
    return RotaryContext(
        layout.lengths, layout.groups, layout.queries, layout.keys, half_window, asked, asking
    )
