"""A token embedding that stands on another encoder's."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class BorrowedTokens(nn.Module):
    """Another's vectors, which get no gradient from here, plus a table of differences.

    Gradient-disentangled embedding sharing (He et al. 2023, arXiv 2111.09543; microsoft/DeBERTa,
    `apps/tasks/rtd_task.py`, `RTDModel.register_discriminator_fw_hook`): what a discriminator
    needs of a token pulls the generator's vectors nowhere. The differences begin at zero.
    """

    def __init__(self, lender: nn.Embedding) -> None:
        super().__init__()
        self._lender = (lender,)  # not a part of this module, whose parameters it would become
        self.difference = nn.Embedding(lender.num_embeddings, lender.embedding_dim)
        self.forget_differences()

    @property
    def embedding_dim(self) -> int:
        """E."""
        return self.difference.embedding_dim

    @torch.no_grad()
    def forget_differences(self) -> None:
        """Begins where the lender stands."""
        self.difference.weight.zero_()

    def forward(self, input_ids: Tensor) -> Tensor:
        """(N,) int64 to (N, E)."""
        lent = functional.embedding(input_ids, self._lender[0].weight.detach())
        summed: Tensor = lent + self.difference(input_ids)
        return summed

    def folded(self) -> nn.Embedding:
        """One table of its own that gives the same vectors."""
        weight = self._lender[0].weight.detach() + self.difference.weight.detach()
        return nn.Embedding(weight.shape[0], weight.shape[1], _weight=weight)
