"""Positives nearer to their anchors than negatives."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from unmask.tasks.embedding_losses.config import TripletConfig
from unmask.tasks.embedding_losses.loss import EmbeddingLoss
from unmask.tasks.embedding_losses.similarity import DISTANCES


class Triplet(EmbeddingLoss):
    """By how much a positive fails to be nearer than the negative by a margin.

    Other names: triplet margin loss, hinge loss of distances; `TripletLoss` in
    sentence-transformers.

    Formula: max(0, d(anchor, positive) - d(anchor, negative) + margin).

    Inputs: an anchor, a positive and a negative.

    Neighbours: `MultipleNegativesRanking` takes the same triplets, and every other text of the
    batch for a negative besides; it mostly learns more. torch's `TripletMarginLoss` adds 1e-6 to
    each entry of a difference, this one nothing.

    Worked example: the positive is 2 away, the negative 1.5, the margin is 1.

    >>> import torch
    >>> loss = Triplet(TripletConfig(distance="manhattan", margin=1.0))
    >>> loss(torch.tensor([[[0.0, 0.0], [1.0, 1.0], [0.0, 1.5]]]))
    tensor([1.5000])

    Source: Reimers and Gurevych 2019 (arXiv 1908.10084), section 3.1, triplet objective; Schroff et
    al. 2015 (arXiv 1503.03832), section 3.1, with squared distances.
    """

    name = "triplet"
    scope = "example"
    texts = (3, 3)
    labels = "none"

    def __init__(self, config: TripletConfig) -> None:
        super().__init__()
        self.distance, self.margin = DISTANCES[config.distance], config.margin

    def compute(self, embeddings: Tensor, _labels: Tensor, _ids: Tensor | None, /) -> Tensor:
        """(G,) distances."""
        anchors, positives, negatives = embeddings.unbind(1)  # (G, E) each
        nearer = self.distance(anchors, positives) - self.distance(anchors, negatives)
        return functional.relu(nearer + self.margin)
