"""Any loss over truncated embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unmask.tasks.embedding_losses.config import MatryoshkaConfig
from unmask.tasks.embedding_losses.loss import EmbeddingLoss
from unmask.tasks.embedding_losses.similarity import unchanged, unit


class Matryoshka(EmbeddingLoss):
    """The weighted sum of a loss over the first entries of embeddings, for several numbers of them.

    Other names: Matryoshka representation learning, MRL; `MatryoshkaLoss` in sentence-transformers.

    Formula: the sum over the dims m of weight_m * loss(embeddings[..., :m]), each truncated
    embedding scaled to length one unless `normalize` is off.

    Inputs: those of the loss, whose scope and name it has. A loss with weights has other ones for
    each m. A teacher's vectors that are compared entry by entry are truncated and scaled alike;
    through a map truncated embeddings are compared with the whole of them. sentence-transformers
    always truncates them and does not scale, so that even embeddings equal to the teacher's cost
    something there. It can also draw some of the dims at each step, which would save nothing here:
    the encoder runs once.

    Neighbours: none of the losses themselves; each can be wrapped.

    Worked example: cosine regression of (3, 4) and (3, 0) against 1. With two entries the cosine is
    0.6, with one it is 1, so the sum is 0.16 + 0.

    >>> from unmask.tasks.embedding_losses.config import CosineSimilarityConfig
    >>> from unmask.tasks.embedding_losses.cosine_similarity import CosineSimilarity
    >>> inner = CosineSimilarity(CosineSimilarityConfig())
    >>> loss = Matryoshka(MatryoshkaConfig(dims=(2, 1)), [inner, inner], dimension=2)
    >>> loss(torch.tensor([[[3.0, 4.0], [3.0, 0.0]]]), torch.tensor([1.0]))
    tensor([0.1600])

    Source: Kusupati et al. 2022 (arXiv 2205.13147), equation 1.
    """

    def __init__(
        self, config: MatryoshkaConfig, losses: Sequence[EmbeddingLoss], dimension: int
    ) -> None:
        """With one loss for each of the dims, none of which exceeds `dimension`."""
        super().__init__()
        first = losses[0]
        self.name, self.scope = first.name, first.scope
        self.texts, self.labels = first.texts, first.labels
        self.passes, self.uses_ids = first.passes, first.uses_ids
        self.losses = nn.ModuleList(losses)
        self.dims, self.dimension = config.dims, dimension
        self.weights = config.weights or (1.0,) * len(config.dims)
        self.prepare = unit if config.normalize else unchanged

    def compute(self, embeddings: Tensor, labels: Tensor, ids: Tensor | None, /) -> Tensor:
        """As the loss has it."""
        parts = []
        for size, weight, loss in zip(self.dims, self.weights, self.losses, strict=True):
            assert isinstance(loss, EmbeddingLoss)
            targets = labels
            if loss.compares_entries and labels.shape[-1] == self.dimension:
                targets = self.prepare(labels[..., :size])
            parts.append(weight * loss.compute(self.prepare(embeddings[..., :size]), targets, ids))
        return torch.stack(parts).sum(0)
