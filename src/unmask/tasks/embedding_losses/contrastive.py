"""Pairs that are alike drawn together, others pushed apart."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from unmask.errors import UsageError
from unmask.tasks.embedding_losses.config import ContrastiveConfig, OnlineContrastiveConfig
from unmask.tasks.embedding_losses.loss import EmbeddingLoss
from unmask.tasks.embedding_losses.similarity import DISTANCES


class Contrastive(EmbeddingLoss):
    """Squared distance of pairs that are alike, and squared lack of distance of those that are not.

    Other names: the margin-based contrastive loss, not to be confused with InfoNCE, which is called
    contrastive too; `ContrastiveLoss` in sentence-transformers.

    Formula: d^2 / 2 for label 1, max(0, margin - d)^2 / 2 for label 0, with d the distance.

    Inputs: two texts and 1 (alike) or 0. Other labels are refused, where sentence-transformers
    takes them for weights.

    Neighbours: `OnlineContrastive` learns from the hard pairs only; `MultipleNegativesRanking`
    needs no pairs that are not alike; `CoSENT` takes grades in between.

    A difference of equal vectors has length 0 here; sentence-transformers' Euclidean and Manhattan
    distances add 1e-6 to each of its entries (`torch.nn.functional.pairwise_distance`).

    Worked example, by the cosine's distance: orthogonal embeddings (distance 1) that should be
    alike cost 1 / 2; equal ones (distance 0) that should not be cost 0.5^2 / 2.

    >>> loss = Contrastive(ContrastiveConfig(margin=0.5))
    >>> pairs = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [3.0, 0.0]]])
    >>> loss(pairs, torch.tensor([1.0, 0.0]))
    tensor([0.5000, 0.1250])

    Source: Hadsell, Chopra and LeCun 2006 (CVPR), equation 4, where 0 stands for alike.
    """

    name = "contrastive"
    scope = "example"
    texts = (2, 2)
    labels = "score"

    def __init__(self, config: ContrastiveConfig) -> None:
        super().__init__()
        self.distance, self.margin = DISTANCES[config.distance], config.margin

    def compute(self, embeddings: Tensor, labels: Tensor, _ids: Tensor | None, /) -> Tensor:
        """(G,) squared distances, halved."""
        alike = _is_alike(self.name, labels)
        distances = self.distance(embeddings[:, 0], embeddings[:, 1])  # (G,)
        lacking = functional.relu(self.margin - distances)
        return torch.where(alike, distances, lacking).square() / 2


class OnlineContrastive(EmbeddingLoss):
    """`Contrastive` of the hard pairs of a batch: summed, and not halved.

    Other names: contrastive loss with online hard pair mining; `OnlineContrastiveLoss` in
    sentence-transformers.

    Formula: sum of d^2 over the alike pairs that are farther apart than the nearest pair that is
    not, plus sum of max(0, margin - d)^2 over the pairs not alike that are nearer than the farthest
    that is. In a batch of one kind, those beyond the mean are the hard ones.

    Inputs: two texts and 1 (alike) or 0; batches should hold both.

    Neighbours: `Contrastive` learns from all pairs. A sum, as in sentence-transformers, grows with
    the batch; the learning rate of another batch size is another one.

    Worked example: distances 1 and 0 of pairs that are alike, 0.2 of one that is not, margin 0.5.
    The pair at 0 is nearer than 0.2 and so is easy. What is left: 1^2 + (0.5 - 0.2)^2.

    >>> loss = OnlineContrastive(OnlineContrastiveConfig(distance="euclidean", margin=0.5))
    >>> pairs = torch.tensor([[[0.0], [1.0]], [[0.0], [0.0]], [[0.0], [0.2]]])
    >>> loss(pairs, torch.tensor([1.0, 1.0, 0.0]))
    tensor(1.0900)

    Source: sentence-transformers, `losses/online_contrastive.py`.
    """

    name = "online-contrastive"
    scope = "batch"
    texts = (2, 2)
    labels = "score"

    def __init__(self, config: OnlineContrastiveConfig) -> None:
        super().__init__()
        self.distance, self.margin = DISTANCES[config.distance], config.margin

    def compute(self, embeddings: Tensor, labels: Tensor, _ids: Tensor | None, /) -> Tensor:
        """() a sum of squared distances."""
        alike = _is_alike(self.name, labels)
        distances = self.distance(embeddings[:, 0], embeddings[:, 1])  # (G,)
        near, far = distances[alike], distances[~alike]
        # Negated, so that a distance that is no number is kept and seen in the loss.
        near = near[~(near <= (far.min() if len(far) else near.mean()))]
        far = far[~(far >= (distances[alike].max() if alike.any() else far.mean()))]
        return near.square().sum() + functional.relu(self.margin - far).square().sum()


def _is_alike(name: str, labels: Tensor) -> Tensor:
    """(G,) bool."""
    other = (labels != 0) & (labels != 1)
    if other.any():
        raise UsageError(
            f"{name}: label {labels[other][0].item():g}, expected 1 (alike) or 0 "
            f"({int(other.sum())} of {len(labels)} examples have others). "
            "For grades in between take cosent or cosine-similarity."
        )
    return labels == 1
