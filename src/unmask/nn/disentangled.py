"""Disentangled attention: contents and distances are compared each by vectors of their own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unmask.nn.attention import SelfAttention
from unmask.nn.context import Context
from unmask.nn.disentangled_scores import Tables, add_terms, attend
from unmask.nn.dropout import Dropout
from unmask.nn.linear import Linear, affine
from unmask.nn.relative import Relative, RelativeContext, scale_of

Projected = tuple[Tensor | None, Tensor | None]
"""(R, D) each: the relative table as keys and as queries, None where no term reads it."""


class SharedProjections(nn.Module):
    """The relative table through the content's own query and key projections (DeBERTa v3)."""

    def __init__(self, *, as_keys: bool, as_queries: bool) -> None:
        super().__init__()
        self.as_keys = as_keys
        self.as_queries = as_queries

    def forward(self, table: Tensor, weight: Tensor, bias: Tensor) -> Projected:
        """`table` (R, D); `weight` (3 D, D) and `bias` (3 D,) of query, key and value."""
        query, key, _ = zip(weight.chunk(3), bias.chunk(3), strict=True)
        return (
            affine(table, *key) if self.as_keys else None,
            affine(table, *query) if self.as_queries else None,
        )


class OwnProjections(nn.Module):
    """The relative table through projections of its own (He et al. 2021, equation 4)."""

    def __init__(self, keys: Linear | None, queries: Linear | None) -> None:
        super().__init__()
        self.keys = keys
        self.queries = queries

    def forward(self, table: Tensor, _weight: Tensor, _bias: Tensor) -> Projected:
        """`table` (R, D); those of the content are not looked at."""
        return (
            None if self.keys is None else self.keys(table),
            None if self.queries is None else self.queries(table),
        )


class InterleavedProjection(nn.Module):
    """Query, key and value of DeBERTa v1, which its files hold head by head, keys without bias.

    transformers, `modeling_deberta.py`, `DisentangledSelfAttention.in_proj`.
    """

    def __init__(self, hidden_size: int, num_attention_heads: int) -> None:
        super().__init__()
        self.num_heads = num_attention_heads
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


class DisentangledAttention(SelfAttention):
    """Attention whose scores add content to content, to position, and position to content.

    He et al. 2021, arXiv 2006.03654, section 3.1.
    """

    def __init__(
        self,
        hidden_size: int,
        num_attention_heads: int,
        dropout_rate: float,
        qkv: nn.Module,
        distances: nn.Module | None,
        distance_dropout_rate: float,
        num_terms: int,
    ) -> None:
        """`distances` projects the context's relative table; None: contents alone are compared.

        `num_terms` is what the scale counts besides content to content, whether it is there or not.
        """
        super().__init__(hidden_size, num_attention_heads, dropout_rate)
        self.qkv = qkv  # type: ignore[assignment]
        self.distances = distances
        self.distance_dropout = Dropout(distance_dropout_rate)
        self.scale = scale_of(self.head_width, num_terms)

    def forward(self, x: Tensor, context: Context, rows: Tensor | None = None) -> Tensor:
        """(N, D) to (N, D), or to (M, D) where only `rows` (M,) ask.

        `context` must have been made for the same rows: `context.at(rows)`.
        """
        return self.ask(None if rows is None else x.index_select(0, rows), x, context)

    def ask(self, queries: Tensor | None, x: Tensor, context: Context) -> Tensor:
        """`queries` (M, D), by default `x` itself, ask `x` (N, D): (M, D).

        They are the rows for which `context` was made, but need not be those of `x`.
        """
        projected = self._projected_table(context)
        positions = context.positions if isinstance(context, RelativeContext) else None
        rate = self.dropout.rate if self.dropout.active else 0.0
        results = []
        for i, (q, k, v) in enumerate(self._heads(queries, x, context)):
            group = context.groups[i]
            attended = attend(
                q,
                k,
                v,
                self._tables(projected, context, group.shape[2]),
                group.mask,
                None if positions is None else positions[i],
                self.scale,
                rate,
            )
            results.append(attended.transpose(1, 2).reshape(-1, x.shape[-1]))  # (B * Tq, D)
        together = results[0] if len(results) == 1 else torch.cat(results)
        if context.queries is not None:
            together = context.queries.gather(together)
        output: Tensor = self.output(together)
        return output

    def probabilities(self, x: Tensor, context: Context) -> list[Tensor]:
        """The attention weights of each sequence, (H, T, T) in batch order, for looking at."""
        query, key, _ = self.qkv(x).view(len(x), 3, self.num_heads, -1).permute(1, 2, 0, 3)
        projected = self._projected_table(context)
        found, start = [], 0
        for length in context.lengths:
            q, k = (part[:, None, start : start + length] for part in (query * self.scale, key))
            scores = torch.matmul(q, k.mT)  # (H, 1, T, T)
            tables = self._tables(projected, context, length)
            queries = None if tables.queries is None else tables.queries * self.scale
            add_terms(scores, q, k, tables.keys, queries, None)
            found.append(torch.softmax(scores[:, 0], dim=-1))
            start += length
        return found

    def _heads(
        self, queries: Tensor | None, x: Tensor, context: Context
    ) -> list[tuple[Tensor, ...]]:
        """Query, key and value (B, H, T, W) of every group."""
        keys = [(num_sequences, length) for num_sequences, _, length in context.shapes]
        if queries is None:
            return self._by_group(self.qkv(x), context.keys, keys)
        width, weight, bias = x.shape[-1], self.qkv.weight, self.qkv.bias
        query = affine(queries, weight[:width], bias[:width])  # (M, D)
        key_value = affine(x, weight[width:], bias[width:])  # (N, 2 D)
        asking = [(num_sequences, length) for num_sequences, length, _ in context.shapes]
        return [
            q + kv
            for q, kv in zip(
                self._by_group(query, context.queries, asking),
                self._by_group(key_value, context.keys, keys),
                strict=True,
            )
        ]

    def _projected_table(self, context: Context) -> Projected:
        """The relative table, once for all sequences."""
        if self.distances is None:
            return None, None
        table = self.distance_dropout(_relative(context).table)
        projected: Projected = self.distances(table, self.qkv.weight, self.qkv.bias)
        return projected

    def _tables(self, projected: Projected, context: Context, length: int) -> Tables:
        """A row for each distance in sequences of `length` tokens."""
        keys, queries = projected
        if keys is None and queries is None:
            return Tables(None, None)
        rows = _relative(context).columns(length)  # (C,)
        return Tables(
            None if keys is None else self._spread(keys, rows),
            None if queries is None else self._spread(queries, rows.flip(0)),
        )

    def _spread(self, table: Tensor, rows: Tensor) -> Tensor:
        """(R, D) to (H, C, W)."""
        spread = table.index_select(0, rows).view(-1, self.num_heads, self.head_width)
        return spread.transpose(0, 1)


def _relative(context: Context) -> Relative:
    assert isinstance(context, RelativeContext), "context and attention are chosen as a pair"
    return context.relative
