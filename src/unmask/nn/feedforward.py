"""The position-wise feed-forward network."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from unmask.nn.linear import Linear


class FeedForward(nn.Module):
    """Two projections with an activation between them (Vaswani et al. 2017, section 3.3)."""

    def __init__(
        self,
        hidden_size: int,
        intermediate_size: int,
        activation: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.widen = Linear(hidden_size, intermediate_size)
        self.activation = activation
        self.narrow = Linear(intermediate_size, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """(N, D) to (N, D)."""
        wide = self.activation(self.widen(x))  # (N, F)
        narrowed: Tensor = self.narrow(wide)  # (N, D)
        return narrowed
