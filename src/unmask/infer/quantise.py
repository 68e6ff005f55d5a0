"""Vectors in fewer bits, as sentence-transformers' `quantize_embeddings` makes them."""

from __future__ import annotations

import logging
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unmask.errors import UsageError

logger = logging.getLogger(__name__)

VectorPrecision = Literal["float32", "int8", "uint8", "binary", "ubinary"]
PRECISIONS: tuple[VectorPrecision, ...] = ("float32", "int8", "uint8", "binary", "ubinary")
_LEVELS = 255
_FEW = 100
"""Vectors below which the ranges of their dimensions are a guess."""


def quantised(
    vectors: NDArray[np.float32],
    precision: VectorPrecision,
    ranges: NDArray[np.float32] | None = None,
) -> NDArray[Any]:
    """(N, D) float32 vectors in another precision.

    `int8` and `uint8` have 256 steps between the least and the greatest value of each dimension,
    which `ranges` (2, D) says, or else the vectors themselves: only vectors of the same ranges
    compare. `binary` and `ubinary` keep the sign of each value, eight to a byte: (N, D / 8).

    Raises:
        UsageError: An unknown precision, or ranges to be found from a single vector.
    """
    if precision not in PRECISIONS:
        raise UsageError(
            f"precision: {precision!r} is not there; expected one of {', '.join(PRECISIONS)}."
        )
    if precision == "float32":
        return vectors
    if precision in ("binary", "ubinary"):
        packed = np.packbits(vectors > 0, axis=-1)
        return packed if precision == "ubinary" else (packed.astype(np.int16) - 128).astype(np.int8)
    low, high = _ranges(vectors) if ranges is None else ranges  # (D,) each
    steps = (high - low) / _LEVELS
    steps = np.where(steps == 0, 1, steps)
    levels: NDArray[np.float32] = np.clip(np.floor((vectors - low) / steps), 0, _LEVELS)
    return levels.astype(np.uint8) if precision == "uint8" else (levels - 128).astype(np.int8)


def _ranges(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(2, D), the least and the greatest value of each dimension."""
    if len(vectors) < 2:
        raise UsageError(
            f"precision: int8 and uint8 need the range of each dimension, which {len(vectors)} "
            "vector(s) do not show; encode more texts at once, or take float32 and quantise with "
            "ranges of many."
        )
    if len(vectors) < _FEW:
        logger.warning(
            "the ranges of int8 vectors come from %d vectors only; vectors encoded at another time "
            "will have others and do not compare.",
            len(vectors),
        )
    return np.stack([vectors.min(axis=0), vectors.max(axis=0)])
