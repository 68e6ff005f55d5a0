"""A cheap upper bound of every cosine, by which nearly all pairs are passed over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unmask.nn.linear import affine
from unmask.nn.precision import uses_bf16
from unmask.search.embedder import Vectors
from unmask.search.unit_vectors import SUMMING

_SAMPLE = 5120
"""Vectors by which the axes are chosen, and a fifth of them by which their number is."""
_WIDTHS = (15, 31, 47, 63, 95, 127, 159, 191, 255, 319, 383, 511, 767)
"""With the number that bounds the rest, mostly multiples of 32, which products like best."""
_SCAN, _SCORE = 64.0, 40_000.0
"""What looking at a product costs, and scoring a pair exactly, in the multiplications of a product;
measured on two cores of a Zen 5, where these take 0.003 ns each in bfloat16."""
_SQUARES = 2e-6
"""More than float32 loses of squares that add up to 1."""
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class Sketch:
    """Short vectors whose products are never below the cosines by more than `slack`.

    Two vectors are rotated so that the first K numbers of each hold most of its length. What is
    left of them, of lengths r and s, adds at most rs to their cosine (Cauchy and Schwarz), and that
    is what one more number, r and s, adds to the product of the first K. So where the product of
    two sketches lies below a threshold less `slack`, the cosine certainly lies below the threshold.
    """

    matrix: Tensor
    """(N, K + 1), bfloat16 where the CPU multiplies it, else float32."""
    slack: float
    """What rounding may have taken from a product."""

    def bounds(
        self, rows: slice, columns: slice, room: Tensor
    ) -> NDArray[np.float32] | NDArray[np.int16]:
        """(R, C) products of some vectors with others, in numbers that `floor` compares with.

        They may lie in `room`, (at least R * C,) of the matrix' type, until the next call.
        """
        left, right = self.matrix[rows], self.matrix[columns]
        if self.matrix.dtype is not torch.bfloat16:
            return affine(left, right, None).numpy()
        product = room[: len(left) * len(right)].view(len(left), len(right))
        torch.mm(left, right.T, out=product)
        # numpy has no bfloat16; but the bits of positive numbers, read as integers, keep the order,
        # and so does the rounding of a product.
        return product.view(torch.int16).numpy()

    def floor(self, threshold: float) -> np.float32 | np.int16:
        """From where on a bound cannot be passed over."""
        least = threshold - self.slack
        if self.matrix.dtype is not torch.bfloat16:
            return np.float32(least)
        if least <= 0.0:  # the bits of negative numbers have another order
            return np.int16(np.iinfo(np.int16).min)
        return np.int16(torch.tensor(least).bfloat16().view(torch.int16).item())


def sketch(vectors: Vectors, threshold: float) -> Sketch:
    """The sketch of (N, D) vectors of length 1 by which pairs from a threshold on come soonest.

    How long it is, is chosen by the pairs of a sample; no choice changes what is found.
    """
    sample = vectors[:: -(-len(vectors) // _SAMPLE)]
    # Of some vectors for both, the axes would hold more than they do of all the others.
    is_judge = np.arange(len(sample)) % 5 == 1
    axes = _axes(sample[~is_judge])
    width = _best_width(sample[is_judge] @ axes, threshold)
    return _of_width(vectors, axes[:, :width])


def _axes(sample: Vectors) -> NDArray[np.float32]:
    """(D, D) orthonormal columns, first those along which the vectors are longest."""
    moments = sample.T.astype(np.float64) @ sample.astype(np.float64)
    return np.ascontiguousarray(np.linalg.eigh(moments).eigenvectors[:, ::-1], dtype=np.float32)


def _best_width(rotated: Vectors, threshold: float) -> int:
    """The number of axes at which the products and the pairs that are left cost least together."""
    dimension = rotated.shape[1]
    costs: dict[int, float] = {}
    for width in sorted({min(width, dimension) for width in (*_WIDTHS, dimension)}):
        first = rotated[:, :width]
        rest = _rest(first)
        bounds = first @ first.T + np.outer(rest, rest)
        # Each of the sample's vectors is above every threshold with itself.
        share = (np.count_nonzero(bounds >= threshold) - len(rotated)) / bounds.size
        costs[width] = width + _SCAN + _SCORE * max(share, 0.0)
    return min(costs, key=costs.__getitem__)


def _rest(first: Vectors) -> Vectors:
    """(N,) at least the length that the first numbers leave of vectors of length 1."""
    left = np.clip(1.0 - np.vecdot(first, first), 0.0, None)
    rest: Vectors = np.sqrt(left + np.float32(_SQUARES))
    return rest


def _of_width(vectors: Vectors, axes: NDArray[np.float32]) -> Sketch:
    is_whole = axes.shape[0] == axes.shape[1]
    bf16 = uses_bf16("auto", torch.device("cpu"))
    dtype = torch.bfloat16 if bf16 else torch.float32
    matrix = torch.empty(len(vectors), axes.shape[1] + (not is_whole), dtype=dtype)
    lost = 0.0
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        first = vectors[start : start + _ROWS_AT_ONCE] @ axes
        if not is_whole:
            first = np.column_stack([first, _rest(first)])
        exact = torch.from_numpy(np.ascontiguousarray(first))
        rounded = matrix[start : start + len(first)]
        rounded.copy_(exact)
        lost = max(lost, float((exact - rounded.float()).norm(dim=1).max()))
    # With x' for x rounded: xy - x'y' = (x - x')y + x'(y - y'), and lengths bound both products.
    return Sketch(matrix, lost * (2.1 + lost) + SUMMING)
