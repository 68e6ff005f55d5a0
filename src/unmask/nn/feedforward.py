"""The position-wise feed-forward network."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from unmask.nn.dropout import Dropout
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


class GatedFeedForward(nn.Module):
    """A projection whose one half, activated, is multiplied by the other, and one back.

    With GELU it is GeGLU (Shazeer 2020, arXiv 2002.05202, equation 6).
    """

    def __init__(
        self,
        hidden_size: int,
        intermediate_size: int,
        activation: Callable[[Tensor], Tensor],
        dropout_rate: float,
        *,
        bias: bool,
    ) -> None:
        super().__init__()
        self.widen = Linear(hidden_size, 2 * intermediate_size, bias=bias)
        self.widen.parts = 2
        self.activation = activation
        self.dropout = Dropout(dropout_rate)
        self.narrow = Linear(intermediate_size, hidden_size, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, D) to (N, D)."""
        activated, gate = self.widen(x).chunk(2, dim=-1)  # (N, F) each
        narrowed: Tensor = self.narrow(self.dropout(self.activation(activated) * gate))  # (N, D)
        return narrowed
