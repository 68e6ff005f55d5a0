"""Multi-head self-attention over packed sequences."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.nn import written_out
from unmask.nn.context import Context, Group
from unmask.nn.dropout import Dropout
from unmask.nn.linear import Linear, affine
from unmask.nn.slots import Slots

_Heads = tuple[Tensor, ...]
"""(B, H, T, W) each: queries, keys or values of a group."""


class SelfAttention(nn.Module):
    """Scaled dot-product attention within each sequence (Vaswani et al. 2017, section 3.2).

    Query, key and value come from one matrix product; checkpoints of other tools hold three.
    """

    def __init__(
        self,
        hidden_size: int,
        num_attention_heads: int,
        dropout_rate: float,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_heads = num_attention_heads
        self.head_width = hidden_size // num_attention_heads
        self.qkv = Linear(hidden_size, 3 * hidden_size, bias=bias)
        self.qkv.parts = 3
        self.output = Linear(hidden_size, hidden_size, bias=bias)
        self.dropout = Dropout(dropout_rate)

    def forward(self, x: Tensor, context: Context, rows: Tensor | None = None) -> Tensor:
        """(N, D) to (N, D), or to (M, D) where only `rows` (M,) ask.

        `context` must have been made for the same rows: `context.at(rows)`.
        """
        results = [
            self._attend(q, k, v, group).transpose(1, 2).reshape(-1, x.shape[-1])
            for group, (q, k, v) in zip(
                context.groups, self._laid_out(x, context, rows), strict=True
            )
        ]  # (B * Tq, D) each
        attended = results[0] if len(results) == 1 else torch.cat(results)
        if context.queries is not None:
            attended = context.queries.gather(attended)
        output: Tensor = self.output(attended)
        return output

    def probabilities(self, x: Tensor, context: Context) -> list[Tensor]:
        """The attention weights of each sequence, (H, T, T) in batch order, for looking at."""
        return [torch.softmax(scores, dim=-1) for scores in self._scores(x, context)]

    def _scores(self, x: Tensor, context: Context) -> Iterator[Tensor]:
        """What the softmax is taken of, (H, T, T) of each sequence."""
        query, key, _ = self.qkv(x).view(len(x), 3, self.num_heads, -1).unbind(1)  # (N, H, W)
        query = query * self.head_width**-0.5
        for q, k in zip(
            torch.split(query, list(context.lengths)),
            torch.split(key, list(context.lengths)),
            strict=True,
        ):
            yield torch.einsum("qhw,khw->hqk", q, k)

    def _laid_out(self, x: Tensor, context: Context, rows: Tensor | None) -> list[_Heads]:
        """Query, key and value of every group."""
        keys = [(num_sequences, length) for num_sequences, _, length in context.shapes]
        if rows is None:
            return self._by_group(self._projected(x, context), context.keys, keys)
        query, key_value = self._projected_apart(x, context, rows)
        queries = [(num_sequences, length) for num_sequences, length, _ in context.shapes]
        asking = self._by_group(query, context.queries, queries)
        asked = self._by_group(key_value, context.keys, keys)
        return [q + kv for q, kv in zip(asking, asked, strict=True)]

    def _projected(self, x: Tensor, _context: Context) -> Tensor:
        """(N, 3 D) query, key and value of every row."""
        projected: Tensor = self.qkv(x)
        return projected

    def _projected_apart(self, x: Tensor, _context: Context, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(M, D) queries of `rows`, (N, 2 D) keys and values of all."""
        width = x.shape[-1]
        weight, bias = self.qkv.weight, self.qkv.bias
        for_queries, for_others = (None, None) if bias is None else (bias[:width], bias[width:])
        return (
            affine(x.index_select(0, rows), weight[:width], for_queries),
            affine(x, weight[width:], for_others),
        )

    def _by_group(
        self, packed: Tensor, slots: Slots | None, shapes: list[tuple[int, int]]
    ) -> list[_Heads]:
        """What lies side by side in rows (M, parts * D), for groups of shapes (B, T)."""
        spread = packed if slots is None else slots.spread(packed)
        sizes = [num_sequences * length for num_sequences, length in shapes]
        blocks = torch.split(spread, sizes) if len(sizes) > 1 else [spread]
        heads = (packed.shape[-1] // self.output.in_features, self.num_heads, self.head_width)
        return [
            block.view(*shape, *heads).permute(2, 0, 3, 1, 4).unbind()
            for block, shape in zip(blocks, shapes, strict=True)
        ]

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, group: Group) -> Tensor:
        mask = group.mask
        rate = self.dropout.rate if self.dropout.active else 0.0
        if q.device.type != "cpu" or not (rate or _is_half_training(q)):
            return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=rate)
        # On a CPU dropout takes SDPA off its fast path, and its backward is three times slower in
        # bfloat16 than the plain products at 128 tokens.
        return written_out.attend(q, k, v, mask, rate)


def _is_half_training(q: Tensor) -> bool:
    return q.dtype is torch.bfloat16 and q.requires_grad
