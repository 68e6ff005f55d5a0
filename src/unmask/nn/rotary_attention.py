"""Self-attention that knows positions by rotation, everywhere or within a window."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from unmask.nn.attention import SelfAttention
from unmask.nn.context import Context, Group
from unmask.nn.projections import Projection
from unmask.nn.rotary import RotaryContext, RotaryContexts, turned
from unmask.nn.window import Chunks, with_neighbours


class RotaryAttention(SelfAttention):
    """Queries and keys are turned by their positions before they meet (Su et al. 2021).

    It reads the context of the one `kind`, by number, that its block is of.
    """

    def __init__(
        self, qkv: Projection, num_attention_heads: int, dropout_rate: float, kind: int
    ) -> None:
        super().__init__(qkv, num_attention_heads, dropout_rate)
        self.kind = kind

    def forward(  # type: ignore[override]
        self, x: Tensor, context: RotaryContexts, rows: Tensor | None = None
    ) -> Tensor:
        """See `SelfAttention.forward`."""
        return super().forward(x, context.kinds[self.kind], rows)

    def probabilities(self, x: Tensor, context: RotaryContexts) -> list[Tensor]:  # type: ignore[override]
        """See `SelfAttention.probabilities`."""
        return super().probabilities(x, context.kinds[self.kind])

    def _scores(self, x: Tensor, context: Context) -> Iterator[Tensor]:
        assert isinstance(context, RotaryContext)
        query, key, _ = self._projected(x, context).view(len(x), 3, self.num_heads, -1).unbind(1)
        lengths = list(context.lengths)
        query = query * self.head_width**-0.5
        for q, k in zip(torch.split(query, lengths), torch.split(key, lengths), strict=True):
            scores = torch.einsum("qhw,khw->hqk", q, k)
            if context.half_window is not None:
                steps = torch.arange(len(q), device=x.device)
                far = (steps[:, None] - steps).abs() > context.half_window
                scores = scores.masked_fill(far, float("-inf"))
            yield scores

    def _projected(self, x: Tensor, context: Context) -> Tensor:
        assert isinstance(context, RotaryContext)
        return turned(super()._projected(x, context), 2, self.num_heads, context.asked)

    def _projected_apart(
        self, queries: Tensor, x: Tensor, context: Context
    ) -> tuple[Tensor, Tensor]:
        assert isinstance(context, RotaryContext)
        query, key_value = super()._projected_apart(queries, x, context)
        return (
            turned(query, 1, self.num_heads, context.asking),
            turned(key_value, 1, self.num_heads, context.asked),
        )

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, group: Group) -> Tensor:
        if isinstance(group, Chunks):
            k, v = with_neighbours(k), with_neighbours(v)
        return super()._attend(q, k, v, group)
