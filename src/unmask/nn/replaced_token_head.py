"""From hidden states to whether a token was replaced."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from unmask.batch import Batch
from unmask.nn.linear import Linear


class ReplacedTokenHead(nn.Module):
    """One logit a token, positive where it is not the original one.

    Clark et al. 2020 (ELECTRA), section 2; google-research/electra, `run_pretraining.py`.
    """

    def __init__(self, hidden_size: int, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.dense = Linear(hidden_size, hidden_size)
        self.activation = activation
        self.output = Linear(hidden_size, 1)

    def forward(self, hidden: Tensor, _batch: Batch) -> Tensor:
        """(N, D) of all tokens to (N,) logits."""
        logits: Tensor = self.output(self.activation(self.dense(hidden))).squeeze(-1)
        return logits


class SummarisedReplacedTokenHead(ReplacedTokenHead):
    """The same, where each token's state is first added to that of its sequence's first one.

    DeBERTa v3's: microsoft/DeBERTa, `apps/models/replaced_token_detection_model.py`.
    """

    def __init__(
        self, hidden_size: int, activation: Callable[[Tensor], Tensor], layer_norm_eps: float
    ) -> None:
        super().__init__(hidden_size, activation)
        self.norm = nn.LayerNorm(hidden_size, eps=layer_norm_eps)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """(N, D) of all tokens to (N,) logits."""
        lengths = torch.tensor(batch.lengths, device=hidden.device)
        first = hidden.index_select(0, batch.starts()).repeat_interleave(lengths, dim=0)
        return super().forward(self.norm(first + hidden), batch)
