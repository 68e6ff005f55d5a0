"""Disentangled attention: contents and distances are compared each by vectors of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from unmask.nn.attention import SelfAttention
from unmask.nn.context import Context
from unmask.nn.disentangled_scores import attend
from unmask.nn.disentangled_terms import Tables, add_terms
from unmask.nn.projections import Projection
from unmask.nn.relative import RelativeContext, positions_in, relative_of, scale_of
from unmask.nn.relative_table import Projected


class DisentangledAttention(SelfAttention):
    """Attention whose scores add content to content, to position, and position to content.

    He et al. 2021, arXiv 2006.03654, section 3.1.
    """

    def __init__(
        self,
        qkv: Projection,
        num_attention_heads: int,
        dropout_rate: float,
        distances: nn.Module,
        num_terms: int,
    ) -> None:
        """`distances` projects the context's relative table, see `nn.relative_table`.

        `num_terms` is what the scale counts besides content to content, whether it is there or not.
        """
        super().__init__(qkv, num_attention_heads, dropout_rate)
        self.distances = distances
        self.scale = scale_of(self.head_width, num_terms)

    def probabilities(self, x: Tensor, context: Context) -> list[Tensor]:
        """The attention weights of each sequence, (H, T, T) in batch order, for looking at."""
        query, key, _ = self.qkv(x).chunk(3, dim=-1)  # (N, D)
        return self._weights(query, key, context, context.lengths, [None] * len(context.lengths))

    def asked_probabilities(
        self, queries: Tensor, rows: Tensor, x: Tensor, context: Context
    ) -> list[Tensor]:
        """The same for `queries` (M, D) that look at `x`: (H, m, T) for the m of each sequence.

        They stand at the packed positions `rows` (M,), which ascend.
        """
        query, key_value = self._projected_apart(queries, x, context)
        positions, owners = positions_in(context.lengths, rows)
        counts = torch.bincount(owners, minlength=len(context.lengths)).tolist()
        asking = [part[None] for part in torch.split(positions, counts)]  # (1, m) each
        return self._weights(query, key_value.chunk(2, dim=-1)[0], context, counts, asking)

    def _weights(
        self,
        query: Tensor,
        key: Tensor,
        context: Context,
        counts: Sequence[int],
        asking: Sequence[Tensor | None],
    ) -> list[Tensor]:
        """Of `counts` queries of each sequence and all of its keys."""
        projected = self._projected_table(context)
        query, key = (x.view(len(x), self.num_heads, -1).transpose(0, 1) for x in (query, key))
        found = []
        for q, k, where, length in zip(
            torch.split(query * self.scale, list(counts), dim=1),
            torch.split(key, list(context.lengths), dim=1),
            asking,
            context.lengths,
            strict=True,
        ):
            scores = torch.matmul(q, k.mT)[:, None]  # (H, 1, m, T)
            tables = self._tables(projected, context, length)
            queries = None if tables.queries is None else tables.queries * self.scale
            add_terms(scores, q[:, None], k[:, None], tables.keys, queries, where)
            found.append(torch.softmax(scores[:, 0], dim=-1))
        return found

    def _attended(self, queries: Tensor | None, x: Tensor, context: Context) -> Iterator[Tensor]:
        projected = self._projected_table(context)
        laid_out = self._laid_out(queries, x, context)
        positions: Sequence[Tensor | None] = [None] * len(context.groups)
        if isinstance(context, RelativeContext):
            positions = context.positions
        for (q, k, v), group, asking in zip(laid_out, context.groups, positions, strict=True):
            tables = self._tables(projected, context, group.shape[2])
            rate = self.dropout.current_rate
            yield attend(q, k, v, tables, group.mask, asking, self.scale, rate)

    def _projected_table(self, context: Context) -> Projected:
        """The relative table, once for all sequences."""
        projected: Projected = self.distances(context, self.qkv.weight, self.qkv.bias)
        return projected

    def _tables(self, projected: Projected, context: Context, length: int) -> Tables:
        """A row for each distance in sequences of `length` tokens."""
        keys, queries = projected
        if keys is None and queries is None:
            return Tables(None, None)
        rows = relative_of(context).columns(length)  # (C,)
        return Tables(
            None if keys is None else self._spread(keys, rows),
            None if queries is None else self._spread(queries, rows.flip(0)),
        )

    def _spread(self, table: Tensor, rows: Tensor) -> Tensor:
        """(R, D) to (H, C, W)."""
        spread = table.index_select(0, rows).view(-1, self.num_heads, self.head_width)
        return spread.transpose(0, 1)
