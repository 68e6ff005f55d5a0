"""Initial weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unmask.nn.attention import SelfAttention
from unmask.nn.drawing import drawing_of
from unmask.nn.embedding import FactorisedEmbedding, TokenPositionSegmentEmbedding

OFFSETS = (-1, 1, -2, 2)
"""Where the heads look at first, in turn: tokens to the left and to the right."""
_POSITION_SIZE, _TOKEN_DEVIATION = 0.2, 0.05
"""Positions are the louder part of the sum at first: equal parts learned more slowly, and a size
of 0.02 as elsewhere is overwritten by AdamW within a few steps (docs/log.md)."""
_FASTEST, _SLOWEST = 1.5, 0.05
"""Radians a token."""


def initialise(module: nn.Module, standard_deviation: float, generator: torch.Generator) -> None:
    """Truncated normal for every weight matrix, zero for biases, identity for norms.

    A matrix that carries a `Drawing` is drawn by it.

    Cut at two standard deviations, as in the paper's code (google-research/bert, `modeling.py`,
    `create_initializer`); Hugging Face draws from the untruncated normal. The paper's wins here.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding | nn.Conv1d):
            drawing = drawing_of(part)
            deviation = drawing.deviation or standard_deviation * drawing.scale
            _draw(part.weight, deviation, generator, drawing.cutoff)
        if isinstance(part, nn.LayerNorm):
            nn.init.ones_(part.weight)
        for name, parameter in part.named_parameters(recurse=False):
            if name.endswith("bias"):
                nn.init.zeros_(parameter)


@torch.no_grad()
def look_at_neighbours(encoder: nn.Module, generator: torch.Generator) -> None:
    """Starts every head at one of the `OFFSETS`, which training otherwise takes long to find.

    Positions become sine and cosine pairs, where a shift is a rotation (Vaswani et al. 2017,
    section 3.5), and a head's queries its keys turned by the head's offset, so that the two agree
    most where the key stands that far away. Queries tied to keys: Trockman and Kolter 2023, arXiv
    2305.09828. All of it are initial weights of BERT's own architecture, free to change.
    """
    width = 0
    for part in encoder.modules():
        if isinstance(part, TokenPositionSegmentEmbedding):
            _draw(part.tokens.weight, _TOKEN_DEVIATION, generator)
            assert isinstance(part.positions, nn.Embedding), "there are no positions to aim by"
            width = part.positions.embedding_dim
            sine, cosine = _pairs(part.positions.weight)  # (T, E / 2) each
            angles = torch.arange(len(sine))[:, None] * _frequencies(sine)
            sine.copy_(_POSITION_SIZE * angles.sin())
            cosine.copy_(_POSITION_SIZE * angles.cos())
        if isinstance(part, FactorisedEmbedding):
            nn.init.eye_(part.projection.weight)  # so that blocks find the pairs as they are
        if isinstance(part, SelfAttention):
            _aim(part, width, generator)


def _aim(attention: SelfAttention, width: int, generator: torch.Generator) -> None:
    """Of embeddings `width` wide, which is at most D, the first columns alone are turned."""
    query, key, _ = attention.qkv.weight.chunk(3)  # (D, D) each
    _draw(key, attention.qkv.in_features**-0.5, generator)
    query.copy_(key)  # decides a last odd column
    heads = zip(query.chunk(attention.num_heads), key.chunk(attention.num_heads), strict=True)
    for head, (q, k) in enumerate(heads):
        sine, cosine = _pairs(k[:, :width])  # (K, E / 2) each
        turn = OFFSETS[head % len(OFFSETS)] * _frequencies(sine)
        turned_sine, turned_cosine = _pairs(q[:, :width])
        turned_sine.copy_(sine * turn.cos() - cosine * turn.sin())
        turned_cosine.copy_(sine * turn.sin() + cosine * turn.cos())


def _pairs(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Views of every other column, (n, D / 2) each."""
    even = matrix.shape[-1] // 2 * 2
    return matrix[:, 0:even:2], matrix[:, 1:even:2]


def _frequencies(half: Tensor) -> Tensor:
    """(D / 2), falling geometrically, in radians a token."""
    number = half.shape[-1]
    return _FASTEST * (_SLOWEST / _FASTEST) ** (torch.arange(number) / number)


def _draw(
    weight: Tensor, standard_deviation: float, generator: torch.Generator, cutoff: float = 2.0
) -> None:
    bound = cutoff * standard_deviation
    nn.init.trunc_normal_(weight, std=standard_deviation, a=-bound, b=bound, generator=generator)
