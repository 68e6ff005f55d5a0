"""From the hidden states of a sequence to one vector."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from unmask.nn.dropout import Dropout
from unmask.nn.linear import Linear


class Pooler(nn.Module):
    """A layer over the hidden state of `[CLS]` (Devlin et al. 2019, section 3.1).

    Trained by next sentence prediction or by fine-tuning; untrained it means nothing. BERT's is
    a tanh layer; other families have other activations, or drop out the input too.
    """

    def __init__(
        self,
        hidden_size: int,
        activation: Callable[[Tensor], Tensor] = torch.tanh,
        dropout_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.dropout = Dropout(dropout_rate)
        self.dense = Linear(hidden_size, hidden_size)
        self.activation = activation

    def forward(self, first_hidden: Tensor) -> Tensor:
        """(B, D) hidden states of the first tokens to (B, D)."""
        return self.activation(self.dense(self.dropout(first_hidden)))


def mean(hidden: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """(N, D) packed hidden states to (B, D), each sequence's mean over all of its tokens."""
    sizes = torch.tensor(lengths, device=hidden.device)
    owners = torch.repeat_interleave(torch.arange(len(lengths), device=hidden.device), sizes)
    sums = hidden.new_zeros(len(lengths), hidden.shape[-1]).index_add(0, owners, hidden)
    return sums / sizes[:, None]
