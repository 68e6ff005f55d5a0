"""Query, key and value of all rows by one matrix product."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unmask.nn.linear import Linear, affine


class QueryKeyValue(Linear):
    """The three side by side; checkpoints of other tools hold three matrices."""

    parts = 3

    def __init__(self, hidden_size: int, *, bias: bool = True) -> None:
        super().__init__(hidden_size, 3 * hidden_size, bias=bias)


class InterleavedProjection(nn.Module):
    """Query, key and value of DeBERTa v1, which its files hold head by head, keys without bias.

    transformers, `modeling_deberta.py`, `DisentangledSelfAttention.in_proj`.
    """

    def __init__(self, hidden_size: int, num_attention_heads: int) -> None:
        super().__init__()
        self.num_heads = num_attention_heads
        self.in_features = hidden_size
        self.interleaved = Linear(hidden_size, 3 * hidden_size, bias=False)
        self.query_bias = nn.Parameter(torch.zeros(hidden_size))
        self.value_bias = nn.Parameter(torch.zeros(hidden_size))

    @property
    def weight(self) -> Tensor:
        """(3 D, D), query before key before value."""
        weight = self.interleaved.weight
        return (
            weight.view(self.num_heads, 3, -1, weight.shape[1]).transpose(0, 1).reshape_as(weight)
        )

    @property
    def bias(self) -> Tensor:
        """(3 D,)."""
        return torch.cat((self.query_bias, torch.zeros_like(self.query_bias), self.value_bias))

    def forward(self, x: Tensor) -> Tensor:
        """(N, D) to (N, 3 D)."""
        return affine(x, self.weight, self.bias)


Projection = QueryKeyValue | InterleavedProjection
