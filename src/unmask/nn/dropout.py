"""Dropout whose mask is cheap on a CPU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

LEVELS = 1 << 16
"""Keep or drop is decided by 16 random bits, so a rate is met to within 1 / 65536."""


def keep_mask(
    shape: Sequence[int], rate: float, generator: torch.Generator | None = None
) -> Tensor:
    """Bool, True where an element is kept: one 64-bit draw decides four elements.

    `generator` is torch's default one where it is not said.

    `torch.nn.functional.dropout` draws one random number an element from a serial generator,
    which on a CPU costs more than the matrix products around it.
    """
    size = math.prod(shape)
    words = torch.empty((size + 3) // 4, dtype=torch.int64).random_(
        -(2**63), None, generator=generator
    )
    return words.view(torch.int16)[:size].view(shape) >= _dropped_levels(rate) - LEVELS // 2


def apply_mask(x: Tensor, kept: Tensor, rate: float) -> Tensor:
    """`x` scaled up where it is kept, and zero elsewhere."""
    return (x * (LEVELS / (LEVELS - _dropped_levels(rate)))).mul_(kept)


def _dropped_levels(rate: float) -> int:
    return min(round(rate * LEVELS), LEVELS - 1)  # a rate below 1 drops not all


class _DropWords(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: float) -> Tensor:
        kept = keep_mask(x.shape, rate)
        ctx.save_for_backward(kept)
        ctx.rate = rate
        return apply_mask(x, kept, rate)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return apply_mask(gradients[0], kept, ctx.rate), None


class Dropout(nn.Module):
    """Zeroes each element with probability `rate` while training and scales the others up.

    Srivastava et al. 2014, inverted form. Draws from torch's default generator of the device, so
    that saving the generator's state makes a run repeatable.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    @property
    def active(self) -> bool:
        """Whether the next call changes anything."""
        return self.training and self.rate > 0.0

    @property
    def current_rate(self) -> float:
        """Share that the next call zeroes: none outside of training."""
        return self.rate if self.active else 0.0

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as `x`; `x` itself when inactive."""
        if not self.active:
            return x
        if x.device.type != "cpu":
            return nn.functional.dropout(x, self.rate, training=True)
        dropped: Tensor = _DropWords.apply(x, self.rate)  # type: ignore[no-untyped-call]
        return dropped

    def extra_repr(self) -> str:
        """The rate, for `print(model)`."""
        return f"rate={self.rate}"
