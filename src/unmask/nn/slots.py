"""Packed rows laid out in padded slots and back, each by one gather for the whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True)
class Slots:
    """M packed rows in P slots; a slot over repeats a row, and nothing may be read from it."""

    rows: Tensor
    """(P,) int64, the row in each slot."""
    places: Tensor
    """(M,) int64, the slot of each row."""

    def spread(self, packed: Tensor) -> Tensor:
        """(M, D) to (P, D).

        The gradient takes it that slots over get none, as when all that comes of them is dropped.
        """
        laid_out: Tensor = _Spread.apply(packed, self.rows, self.places)  # type: ignore[no-untyped-call]
        return laid_out

    def gather(self, laid_out: Tensor) -> Tensor:
        """(P, D) to (M, D)."""
        packed: Tensor = _Gather.apply(laid_out, self.places)  # type: ignore[no-untyped-call]
        return packed


def make(
    counts: Sequence[int],
    members: Sequence[Sequence[int]],
    widths: Sequence[int],
    device: torch.device,
) -> tuple[Slots, list[Tensor | None]]:
    """Slots of blocks that follow each other, and (B, 1, 1, T) which are real in each block.

    `counts` says how many packed rows each sequence has; a block has the sequences `members`, each
    in `widths` slots. A block in which all slots are real has None.
    """
    sizes = torch.tensor(counts, device=device)
    starts = torch.cumsum(sizes, 0) - sizes
    order = torch.tensor([i for some in members for i in some], device=device)
    width = torch.tensor(
        [width for some, width in zip(members, widths, strict=True) for _ in some], device=device
    )  # (B,), and so the next two
    first_slots = torch.cumsum(width, 0) - width
    sizes, starts = sizes[order], starts[order]
    owners = torch.repeat_interleave(width)  # (P,)
    steps = torch.arange(len(owners), device=device) - first_slots[owners]
    real = steps < sizes[owners]
    rows = starts[owners] + torch.where(real, steps, 0)
    num_rows = sum(counts)
    # A sequence without rows borrows another's; a start past the end is no row at all.
    rows.clamp_(max=max(num_rows - 1, 0))
    places = torch.empty(num_rows, dtype=torch.int64, device=device)
    chosen = real.nonzero().squeeze(1)
    places[rows[chosen]] = chosen
    parts = torch.split(
        real, [len(some) * size for some, size in zip(members, widths, strict=True)]
    )
    masks: list[Tensor | None] = [
        None if all(counts[i] == size for i in some) else part.view(len(some), 1, 1, size)
        for part, some, size in zip(parts, members, widths, strict=True)
    ]
    return Slots(rows, places), masks


class _Spread(torch.autograd.Function):
    """Backward is a gather too: torch's own would add up over the slots, padding and all."""

    @staticmethod
    def forward(ctx: Any, packed: Tensor, rows: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        return packed.index_select(0, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (places,) = ctx.saved_tensors
        return gradients[0].index_select(0, places), None, None


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, laid_out: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        ctx.num_slots = len(laid_out)
        return laid_out.index_select(0, places)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        gradient = gradients[0]
        spread = gradient.new_zeros(ctx.num_slots, *gradient.shape[1:])
        return spread.index_copy_(0, places, gradient), None
