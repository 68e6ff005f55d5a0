"""What disentangled attention compares, and what distances add to its scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from unmask.nn import distances
from unmask.nn.parts import Part, parts

_PAIRS_AT_ONCE = 1 << 20
"""Pairs of tokens whose scores are computed together: what a cache holds."""


@dataclass(frozen=True)
class Tables:
    """What the distances of one group's tokens, the query's less the key's, are compared by.

    C = 2 T - 1 distances.
    """

    keys: Tensor | None
    """(H, C, W), from T - 1 down, what queries meet: content to position. None: no such term."""
    queries: Tensor | None
    """(H, C, W), from 1 - T up, what keys meet: position to content."""


class Given(NamedTuple):
    """What attention reads, of all heads and sequences or of a part."""

    q: Tensor
    """(H, B, Tq, W), scaled."""
    k: Tensor
    """(H, B, Tk, W)."""
    v: Tensor
    """(H, B, Tk, W)."""
    keys: Tensor | None
    """(H, C, W), as the next: see `Tables`."""
    queries: Tensor | None
    """Scaled."""
    mask: Tensor | None
    """(B, 1, 1, Tk)."""
    asking: Tensor | None
    """(B, Tq)."""

    def parts(self) -> list[Part]:
        """Of which `at` is to be asked, one after the other."""
        num_heads, num_sequences, num_queries, _ = self.q.shape
        num_pairs = num_queries * self.k.shape[2]
        return list(parts(num_sequences, num_heads, num_pairs, _PAIRS_AT_ONCE))

    def at(self, part: Part) -> Given:
        """Views of what a part reads."""
        sequences, heads = part
        return Given(
            self.q[heads, sequences],
            self.k[heads, sequences],
            self.v[heads, sequences],
            None if self.keys is None else self.keys[heads],
            None if self.queries is None else self.queries[heads],
            None if self.mask is None else self.mask[sequences],
            None if self.asking is None else self.asking[sequences],
        )

    def weights(self) -> Tensor:
        """(H, B, Tq, Tk)."""
        scores = torch.matmul(self.q, self.k.mT)
        add_terms(scores, self.q, self.k, self.keys, self.queries, self.asking)
        if self.mask is not None:
            scores.masked_fill_(~self.mask.transpose(0, 1), float("-inf"))
        return torch.softmax(scores, dim=-1)


def add_terms(
    scores: Tensor,
    q: Tensor,
    k: Tensor,
    keys: Tensor | None,
    queries: Tensor | None,
    asking: Tensor | None,
) -> None:
    """Adds what distances say to `scores` (H, B, Tq, Tk); no gradient."""
    if keys is not None and asking is None:
        distances.add(scores, q, keys)
    elif keys is not None and asking is not None:
        distances.add_picked(scores, q, keys, _columns_of_queries(asking, k.shape[2]))
    if queries is not None and asking is None:
        distances.add(scores.mT, k, queries)
    elif queries is not None and asking is not None:
        distances.add_picked(scores.mT, k, queries, _columns_of_keys(asking, k.shape[2]))


def add_term_gradients(for_scores: Tensor, given: Given, into: Given) -> None:
    """What `add_terms` hands back, added to the gradients `into`."""
    sides = (
        (given.keys, into.keys, into.q, for_scores, given.q, _columns_of_queries),
        (given.queries, into.queries, into.k, for_scores.mT, given.k, _columns_of_keys),
    )
    for table, for_table, for_x, towards, x, columns in sides:
        if table is None or for_table is None:
            continue
        if given.asking is None:
            distances.add_gradients(for_x, for_table, towards, x, table)
        else:
            where = columns(given.asking, given.k.shape[2])
            distances.add_picked_gradients(for_x, for_table, towards, x, table, where)


def learnt_scores(given: Given) -> Tensor:
    """The same (H, B, Tq, Tk), by operations that torch has gradients for."""
    q, k, length = given.q, given.k, given.k.shape[2]
    asking = given.asking
    if asking is None:
        asking = torch.arange(q.shape[2], device=q.device).expand(q.shape[1], -1)
    added = q.new_zeros(*q.shape[:3], length)
    if given.keys is not None:
        added = added + distances.picked(q, given.keys, _columns_of_queries(asking, length))
    if given.queries is not None:
        added = added + distances.picked(k, given.queries, _columns_of_keys(asking, length)).mT
    return added


def _columns_of_queries(asking: Tensor, length: int) -> Tensor:
    """(B, Tq, Tk) the column of each query's distance to each key."""
    return torch.arange(length, device=asking.device) - asking[:, :, None] + (length - 1)


def _columns_of_keys(asking: Tensor, length: int) -> Tensor:
    """(B, Tk, Tq) the column of each key's distance to each query."""
    steps = torch.arange(length, device=asking.device)
    return asking[:, None, :] - steps[:, None] + (length - 1)
