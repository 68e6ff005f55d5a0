"""How one block projects the relative table, which distances are compared by."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from unmask.nn.context import Context
from unmask.nn.dropout import Dropout
from unmask.nn.linear import Linear, affine
from unmask.nn.relative import relative_of

QUERY, KEY = 0, 1
"""Places in `Content`."""
Content = Sequence[tuple[Tensor, Tensor]]
"""Weight (D, D) and bias (D,) by which contents become queries, keys and values, in this order."""
Projected = tuple[Tensor | None, Tensor | None]
"""(R, D) each: the relative table as keys and as queries, None where no term reads it."""


class Distances(nn.Module):
    """The relative table, dropped out, as what queries and what keys meet."""

    def __init__(self, keys: nn.Module, queries: nn.Module, dropout_rate: float) -> None:
        """Each side is one of `OfContent`, `OfItsOwn` and `Unread`."""
        super().__init__()
        self.keys = keys
        self.queries = queries
        self.dropout = Dropout(dropout_rate)

    def forward(self, context: Context, weight: Tensor, bias: Tensor) -> Projected:
        """`weight` (3 D, D) and `bias` (3 D,) are the content's, of query, key and value."""
        table = self.dropout(relative_of(context).table)
        content = list(zip(weight.chunk(3), bias.chunk(3), strict=True))
        return self.keys(table, content), self.queries(table, content)


class NoDistances(nn.Module):
    """Contents alone are compared, in any context."""

    def forward(self, _context: Context, _weight: Tensor, _bias: Tensor) -> Projected:
        """Two times None."""
        return None, None


class OfContent(nn.Module):
    """A side by the content's own projection: that of its `QUERY` or of its `KEY` (DeBERTa v3)."""

    def __init__(self, part: int) -> None:
        super().__init__()
        self.part = part

    def forward(self, table: Tensor, content: Content) -> Tensor:
        """(R, D) to (R, D)."""
        return affine(table, *content[self.part])


class OfItsOwn(Linear):
    """A side by a projection that nothing else has (He et al. 2021, equation 4)."""

    def forward(self, table: Tensor, _content: Content) -> Tensor:  # type: ignore[override]
        """(R, D) to (R, D)."""
        return super().forward(table)


class Unread(nn.Module):
    """A side that no term reads."""

    def forward(self, _table: Tensor, _content: Content) -> None:
        """None."""
