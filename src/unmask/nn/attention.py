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
from unmask.nn.projections import Projection
from unmask.nn.slots import Slots

_SHORT = 128
"""Tokens up to which SDPA, made for long sequences, is slower than the plain products in fp32."""
_Heads = tuple[Tensor, ...]
"""(B, H, T, W) each: queries, keys or values of a group."""


class SelfAttention(nn.Module):
    """Scaled dot-product attention within each sequence (Vaswani et al. 2017, section 3.2)."""

    def __init__(self, qkv: Projection, num_attention_heads: int, dropout_rate: float) -> None:
        """What the heads give is projected once more, with a bias where `qkv` has one."""
        super().__init__()
        hidden_size = qkv.in_features
        self.num_heads = num_attention_heads
        self.head_width = hidden_size // num_attention_heads
        self.qkv = qkv
        self.output = Linear(hidden_size, hidden_size, bias=qkv.bias is not None)
        self.dropout = Dropout(dropout_rate)

    def forward(self, x: Tensor, context: Context, rows: Tensor | None = None) -> Tensor:
        """(N, D) to (N, D), or to (M, D) where only `rows` (M,) ask.

        `context` must have been made for the same rows: `context.at(rows)`.
        """
        return self.ask(None if rows is None else x.index_select(0, rows), x, context)

    def ask(self, queries: Tensor | None, x: Tensor, context: Context) -> Tensor:
        """`queries` (M, D), by default `x` itself, look at `x` (N, D): (M, D).

        They are the rows for which `context` was made, but need not be those of `x`.
        """
        results = [
            attended.transpose(1, 2).reshape(-1, x.shape[-1])
            for attended in self._attended(queries, x, context)
        ]  # (B * Tq, D) each
        together = results[0] if len(results) == 1 else torch.cat(results)
        if context.queries is not None:
            together = context.queries.gather(together)
        output: Tensor = self.output(together)
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

    def _attended(self, queries: Tensor | None, x: Tensor, context: Context) -> Iterator[Tensor]:
        """(B, H, Tq, W) of every group."""
        laid_out = self._laid_out(queries, x, context)
        for group, (q, k, v) in zip(context.groups, laid_out, strict=True):
            yield self._attend(q, k, v, group)

    def _laid_out(self, queries: Tensor | None, x: Tensor, context: Context) -> list[_Heads]:
        """Query, key and value of every group."""
        keys = [(num_sequences, length) for num_sequences, _, length in context.shapes]
        if queries is None:
            return self._by_group(self._projected(x, context), context.keys, keys)
        query, key_value = self._projected_apart(queries, x, context)
        shapes = [(num_sequences, length) for num_sequences, length, _ in context.shapes]
        asking = self._by_group(query, context.queries, shapes)
        asked = self._by_group(key_value, context.keys, keys)
        return [q + kv for q, kv in zip(asking, asked, strict=True)]

    def _projected(self, x: Tensor, _context: Context) -> Tensor:
        """(N, 3 D) query, key and value of every row."""
        projected: Tensor = self.qkv(x)
        return projected

    def _projected_apart(
        self, queries: Tensor, x: Tensor, _context: Context
    ) -> tuple[Tensor, Tensor]:
        """(M, D) queries of those that ask, (N, 2 D) keys and values of all."""
        width = x.shape[-1]
        weight, bias = self.qkv.weight, self.qkv.bias
        for_queries, for_others = (None, None) if bias is None else (bias[:width], bias[width:])
        return (
            affine(queries, weight[:width], for_queries),
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
        mask, rate = group.mask, self.dropout.current_rate
        if q.device.type != "cpu" or not (rate or _is_half_training(q) or _is_short_answer(q, k)):
            return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=rate)
        # On a CPU dropout takes SDPA off its fast path, its backward is three times slower in
        # bfloat16 than the plain products at 128 tokens, and so is its forward in fp32 at 16.
        return written_out.attend(q, k, v, mask, rate)


def _is_half_training(q: Tensor) -> bool:
    return q.dtype is torch.bfloat16 and q.requires_grad


def _is_short_answer(q: Tensor, k: Tensor) -> bool:
    return q.dtype is torch.float32 and k.shape[2] <= _SHORT and not q.requires_grad
