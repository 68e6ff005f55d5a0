"""Multi-head self-attention over packed sequences."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.nn.context import Context, Group
from unmask.nn.dropout import Dropout


class SelfAttention(nn.Module):
    """Scaled dot-product attention within each sequence (Vaswani et al. 2017, section 3.2).

    Query, key and value come from one matrix product; checkpoints of other tools hold three.
    """

    def __init__(self, hidden_size: int, num_attention_heads: int, dropout_rate: float) -> None:
        super().__init__()
        self.num_heads = num_attention_heads
        self.head_width = hidden_size // num_attention_heads
        self.qkv = nn.Linear(hidden_size, 3 * hidden_size)
        self.output = nn.Linear(hidden_size, hidden_size)
        self.dropout = Dropout(dropout_rate)

    def forward(self, x: Tensor, context: Context, rows: Tensor | None = None) -> Tensor:
        """(N, D) to (N, D), or to (M, D) where only `rows` (M,) ask.

        `context` must have been made for the same rows: `context.at(rows)`.
        """
        query, key, value = self._project(x, rows)
        results = []
        for group in context.groups:
            q, k, v = self._lay_out(query, key, value, group)
            attended = self._attend(q, k, v, group.mask)  # (B, H, Tq, K)
            results.append(attended.transpose(1, 2).reshape(-1, query.shape[-1]))  # (B * Tq, D)
        if context.restore is None:
            return self._apply_output(results[0])
        return self._apply_output(torch.cat(results).index_select(0, context.restore))

    def probabilities(self, x: Tensor, context: Context) -> list[Tensor]:
        """The attention weights of each sequence, (H, T, T) in batch order, for looking at."""
        query, key, value = self._project(x, None)
        weights: list[Tensor] = []
        start = 0
        for length in context.lengths:
            group = Group((1, length, length), None, None, None)
            span = slice(start, start + length)
            q, k, _ = self._lay_out(query[span], key[span], value[span], group)
            weights.append(torch.softmax(_scores(q, k), dim=-1)[0])
            start += length
        return weights

    def _apply_output(self, attended: Tensor) -> Tensor:
        output: Tensor = self.output(attended)
        return output

    def _project(self, x: Tensor, rows: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (M, D), keys and values (N, D)."""
        width = x.shape[-1]
        if rows is None:
            query, key, value = torch.split(self.qkv(x), width, dim=-1)
            return query, key, value
        weight, bias = self.qkv.weight, self.qkv.bias
        query = functional.linear(x.index_select(0, rows), weight[:width], bias[:width])
        key, value = torch.split(functional.linear(x, weight[width:], bias[width:]), width, -1)
        return query, key, value

    def _lay_out(
        self, query: Tensor, key: Tensor, value: Tensor, group: Group
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Packed rows to the group's dense (B, H, T, K) each."""
        num_sequences, num_queries, num_keys = group.shape
        if group.queries is not None:
            query = query.index_select(0, group.queries.flatten())
        if group.keys is not None:
            key = key.index_select(0, group.keys.flatten())
            value = value.index_select(0, group.keys.flatten())

        def heads(packed: Tensor, length: int) -> Tensor:
            return packed.view(num_sequences, length, self.num_heads, self.head_width).transpose(
                1, 2
            )

        return heads(query, num_queries), heads(key, num_keys), heads(value, num_keys)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        if q.device.type != "cpu" or not (self.dropout.active or _is_half_training(q)):
            rate = self.dropout.rate if self.dropout.active else 0.0
            return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=rate)
        # On a CPU dropout takes SDPA off its fast path, and its backward is three times slower in
        # bfloat16 than the plain products at 128 tokens.
        scores = _scores(q, k)
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        return torch.matmul(self.dropout(torch.softmax(scores, dim=-1)), v)


def _scores(q: Tensor, k: Tensor) -> Tensor:
    """(B, H, Tq, Tk)."""
    return torch.matmul(q * (1.0 / math.sqrt(q.shape[-1])), k.transpose(-1, -2))


def _is_half_training(q: Tensor) -> bool:
    return q.dtype is torch.bfloat16 and q.requires_grad
