"""From hidden states to whether a token was replaced."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

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

    def forward(self, hidden: Tensor) -> Tensor:
        """(N, D) to (N,) logits."""
        logits: Tensor = self.output(self.activation(self.dense(hidden))).squeeze(-1)
        return logits
