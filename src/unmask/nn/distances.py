"""Scores between contents and distances, for attention over B sequences of T tokens.

A token's products with the vectors of all distances, (..., T, 2 T - 1), hold its score with every
other token: column j - i + T - 1 belongs to the tokens i and j. Reading them there is a view whose
rows are each shifted by one, so that nothing is gathered. Rows are taken a tile at a time, because
a tile of n rows needs only T + n - 1 of the columns.

Layouts here put heads first: (H, B, T, W), tables (H, 2 T - 1, W), scores (H, B, Tq, Tk).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

_TILE = 128
"""Rows of a sequence whose products with distances are held at once."""
_MOST_HALF = 3e4
"""Of a product in float16, so that the sum of two is finite."""


def add(scores: Tensor, x: Tensor, table: Tensor) -> None:
    """Adds to each pair (row, column) of `scores` (H, B, T, T) the product of the row's `x`
    (H, B, T, W) with its distance's vector."""
    for start, stop in _tiles(x.shape[2]):
        part = _part(table, start, stop)
        products = _products(x[:, :, start:stop], part)
        scores[:, :, start:stop] += _shifted(products)


def add_gradients(
    for_x: Tensor, for_table: Tensor, for_scores: Tensor, x: Tensor, table: Tensor
) -> None:
    """Adds to the gradients of `x` and `table` what comes from that of `scores`, see `add`."""
    num_heads, num_sequences, length, width = x.shape
    for start, stop in _tiles(length):
        part, num_rows = _part(table, start, stop), stop - start
        spread = for_scores.new_zeros(num_heads, num_sequences, num_rows, part.shape[1])
        _shifted(spread).copy_(for_scores[:, :, start:stop])
        flat = spread.flatten(1, 2)  # (H, B * n, T + n - 1)
        rows = x[:, :, start:stop].reshape(num_heads, -1, width)
        for_x[:, :, start:stop] += torch.bmm(flat, part).view(
            num_heads, num_sequences, num_rows, width
        )
        _part(for_table, start, stop).add_(torch.bmm(flat.mT, rows))


def add_picked(scores: Tensor, x: Tensor, table: Tensor, columns: Tensor) -> None:
    """As `add` where column c of row r is not c - r + T - 1 but `columns` (B, rows, columns)."""
    scores += picked(x, table, columns)


def picked(x: Tensor, table: Tensor, columns: Tensor) -> Tensor:
    """(H, B, rows, columns) products of each row's `x` with the vectors of its distances."""
    products = _products(x, table)
    return products.gather(-1, columns.expand(len(x), *columns.shape))


def add_picked_gradients(
    for_x: Tensor,
    for_table: Tensor,
    for_scores: Tensor,
    x: Tensor,
    table: Tensor,
    columns: Tensor,
) -> None:
    """See `add_gradients`; two columns may be of one distance."""
    spread = for_scores.new_zeros(*x.shape[:3], table.shape[1])
    spread.scatter_add_(-1, columns.expand(len(x), *columns.shape), for_scores)
    flat = spread.flatten(1, 2)
    for_x += torch.bmm(flat, table).view_as(for_x)
    for_table += torch.bmm(flat.mT, x.reshape(len(x), -1, x.shape[-1]))


def _tiles(length: int) -> Iterator[tuple[int, int]]:
    for start in range(0, length, _TILE):
        yield start, min(start + _TILE, length)


def _part(table: Tensor, start: int, stop: int) -> Tensor:
    """The distances that rows from `start` to `stop` have, (H, T + n - 1, W)."""
    length = (table.shape[1] + 1) // 2
    return table[:, length - stop : 2 * length - 1 - start]


def _products(x: Tensor, table: Tensor) -> Tensor:
    """(H, B, n, W) and (H, C, W) to (H, B, n, C)."""
    num_heads, num_sequences, num_rows, width = x.shape
    flat = x.reshape(num_heads, num_sequences * num_rows, width)
    products = torch.bmm(flat, table.mT)
    if x.dtype is torch.float16:
        products = products.clamp(-_MOST_HALF, _MOST_HALF)
    return products.view(num_heads, num_sequences, num_rows, products.shape[-1])


def _shifted(products: Tensor) -> Tensor:
    """(H, B, n, T + n - 1) to a view (H, B, n, T): row r from column n - 1 - r on."""
    num_heads, num_sequences, num_rows, num_columns = products.shape
    by_head, by_sequence, by_row, _ = products.stride()
    return products.as_strided(
        (num_heads, num_sequences, num_rows, num_columns - num_rows + 1),
        (by_head, by_sequence, by_row - 1, 1),
        products.storage_offset() + num_rows - 1,
    )
