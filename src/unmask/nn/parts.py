"""Which heads of which sequences attention takes together, so that their scores stay in a cache."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

Part = tuple[slice, slice]
"""Sequences and heads."""


def parts(num_sequences: int, num_heads: int, num_pairs: int, at_once: int) -> Iterator[Part]:
    """All of them, some whole sequences at a time, or some heads of one.

    Of `num_pairs` pairs of tokens for each head of a sequence, a part has `at_once`, or one head's.
    """
    num_matrices = max(1, at_once // max(1, num_pairs))
    step, heads = max(1, num_matrices // num_heads), min(num_matrices, num_heads)
    for first in range(0, num_sequences, step):
        for head in range(0, num_heads, heads):
            yield slice(first, first + step), slice(head, head + heads)


def like_rows(x: Tensor, num_rows: int) -> Tensor:
    """(B, H, num_rows, W) that lies in memory as rows (B, num_rows, H, W), as its reader wants."""
    num_sequences, num_heads, _, width = x.shape
    return x.new_empty(num_sequences, num_rows, num_heads, width).transpose(1, 2)


def summing(dtype: torch.dtype) -> torch.dtype:
    """What gradients of many parts are added up in: never half precision."""
    return torch.promote_types(dtype, torch.float32)
