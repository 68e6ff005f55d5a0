"""From the hidden states of a sequence to one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Pooler(nn.Module):
    """A tanh layer over the hidden state of `[CLS]` (Devlin et al. 2019, section 3.1).

    Trained by next sentence prediction or by fine-tuning; untrained it means nothing.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden_size, hidden_size)

    def forward(self, first_hidden: Tensor) -> Tensor:
        """(B, D) hidden states of the first tokens to (B, D) in -1..1."""
        return torch.tanh(self.dense(first_hidden))
