"""Dropout whose mask is cheap on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

LEVELS = 1 << 16
"""Keep or drop is decided by 16 random bits, so a rate is met to within 1 / 65536."""


class _DropWords(torch.autograd.Function):
    """Drops by comparing 16-bit words: one 64-bit draw decides four elements.

    `torch.nn.functional.dropout` draws one random number an element from a serial generator,
    which on a CPU costs more than the matrix products around it.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, dropped_levels: int) -> Tensor:
        words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
        kept = words.view(torch.int16)[: x.numel()].view(x.shape) >= dropped_levels - LEVELS // 2
        ctx.save_for_backward(kept)
        ctx.scale = LEVELS / (LEVELS - dropped_levels)
        dropped: Tensor = (x * ctx.scale).mul_(kept)
        return dropped

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return (gradients[0] * ctx.scale).mul_(kept), None


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

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as `x`; `x` itself when inactive."""
        if not self.active:
            return x
        if x.device.type != "cpu":
            return nn.functional.dropout(x, self.rate, training=True)
        levels = min(round(self.rate * LEVELS), LEVELS - 1)  # a rate below 1 drops not all
        dropped: Tensor = _DropWords.apply(x, levels)  # type: ignore[no-untyped-call]
        return dropped

    def extra_repr(self) -> str:
        """The rate, for `print(model)`."""
        return f"rate={self.rate}"
