"""How far tokens stand apart, and the table of vectors for it that all blocks share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unmask.nn.context import Context, make_context

Buckets = Callable[[Tensor], Tensor]
"""Distances (n,) int64, query's position less key's, to signed buckets (n,), rising with them."""


@dataclass(frozen=True)
class Relative:
    """The rows of the relative table that a batch can need, and which one each distance has."""

    table: Tensor
    """(R, D)."""
    rows: Tensor
    """(2 T - 1,) int64 rows of the table, by distance from T - 1 down to 1 - T, where T is the
    longest sequence."""

    def columns(self, length: int) -> Tensor:
        """(2 length - 1,) the same for sequences of `length` tokens."""
        cut = (len(self.rows) + 1) // 2 - length
        return self.rows[cut : len(self.rows) - cut]


@dataclass(frozen=True)
class RelativeContext(Context):
    """A context whose attention compares distances too."""

    relative: Relative
    positions: tuple[Tensor | None, ...]
    """By group, (B, Tq) int64 where the rows that ask stand in their sequence; None: all ask."""

    def at(self, rows: Tensor) -> RelativeContext:
        """The context in which only `rows` ask: (M,) int64, ascending packed positions."""
        plain = super().at(rows)
        positions, _ = positions_in(self.lengths, rows)
        if plain.queries is not None:
            positions = positions[plain.queries.rows]  # (P,)
        sizes = [num_sequences * num_queries for num_sequences, num_queries, _ in plain.shapes]
        by_group = tuple(
            # A slot over may hold a longer sequence's row.
            part.view(num_sequences, num_queries).clamp(max=num_keys - 1)
            for part, (num_sequences, num_queries, num_keys) in zip(
                torch.split(positions, sizes), plain.shapes, strict=True
            )
        )
        return RelativeContext(
            plain.lengths, plain.groups, plain.queries, plain.keys, self.relative, by_group
        )


def positions_in(lengths: Sequence[int], rows: Tensor) -> tuple[Tensor, Tensor]:
    """Where packed `rows` (M,) stand in their sequences, (M,), and which sequences these are."""
    sizes = torch.tensor(lengths, device=rows.device)
    starts = torch.cumsum(sizes, 0) - sizes
    owners = torch.searchsorted(starts, rows.contiguous(), right=True) - 1
    return rows - starts[owners], owners


def relative_of(context: Context) -> Relative:
    """What a context knows of distances, where attention was chosen that reads it."""
    assert isinstance(context, RelativeContext), "context and attention are chosen as a pair"
    return context.relative


class RelativePositions(nn.Module):
    """Makes the context of disentangled attention, with the table that every block reads.

    He et al. 2021, arXiv 2006.03654, section 3.1; microsoft/DeBERTa, `deberta/bert.py`,
    `BertEncoder.get_rel_embedding`.
    """

    def __init__(self, table: nn.Embedding, norm: nn.Module, buckets: Buckets) -> None:
        super().__init__()
        self.table = table
        self.norm = norm
        self.buckets = buckets

    def forward(self, lengths: tuple[int, ...], position_ids: Tensor) -> RelativeContext:
        """`position_ids` (N,) only tells the device here."""
        plain = make_context(lengths, position_ids.device)
        longest, middle = max(lengths), self.table.num_embeddings // 2
        distances = torch.arange(longest - 1, -longest, -1)  # (2 T - 1,)
        rows = (self.buckets(distances) + middle).clamp(0, 2 * middle - 1)
        first, last = int(rows[-1]), int(rows[0])  # only what occurs is normalised and projected
        relative = Relative(
            self.norm(self.table.weight[first : last + 1]), (rows - first).to(position_ids.device)
        )
        return RelativeContext(
            plain.lengths,
            plain.groups,
            plain.queries,
            plain.keys,
            relative,
            (None,) * len(plain.groups),
        )


def linear_buckets(distances: Tensor) -> Tensor:
    """Each distance is its own bucket (He et al. 2021, equation 3)."""
    return distances


def log_buckets(distances: Tensor, num_buckets: int, max_distance: int) -> Tensor:
    """Exact up to half of `num_buckets`, then as logarithms up to `max_distance`.

    microsoft/DeBERTa, `deberta/da_utils.py`, `make_log_bucket_position`. In fp32 as transformers
    has it, where Microsoft takes fp64: a distance on the edge of a bucket may fall otherwise there,
    and the weights that people load today are read by transformers, which wins.
    """
    half = num_buckets // 2
    far = distances.abs().clamp(min=half)
    ratio = torch.log(far / half) / torch.log(torch.tensor((max_distance - 1) / half))
    steps = torch.ceil(ratio * (half - 1)).long() + half
    return torch.where(distances.abs() <= half, distances, steps * distances.sign())


def scale_of(width: int, num_terms: int) -> float:
    """What scores of heads of `width` are multiplied by (He et al. 2021, equation 4)."""
    return 1.0 / math.sqrt(width * (1 + num_terms))
