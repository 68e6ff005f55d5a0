"""Initial weights."""

from __future__ import annotations

import torch
from torch import nn


def initialise(module: nn.Module, standard_deviation: float, generator: torch.Generator) -> None:
    """Truncated normal for every weight matrix, zero for biases, identity for norms.

    Cut at two standard deviations, as in the paper's code (google-research/bert, `modeling.py`,
    `create_initializer`); Hugging Face draws from the untruncated normal. The paper's wins here.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.trunc_normal_(
                part.weight,
                std=standard_deviation,
                a=-2 * standard_deviation,
                b=2 * standard_deviation,
                generator=generator,
            )
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
        if isinstance(part, nn.LayerNorm):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
