"""Regression of the cosine."""

from __future__ import annotations

from torch import Tensor

from unmask.tasks.embedding_losses.checks import check_range
from unmask.tasks.embedding_losses.config import CosineSimilarityConfig
from unmask.tasks.embedding_losses.loss import EmbeddingLoss
from unmask.tasks.embedding_losses.similarity import cosine


class CosineSimilarity(EmbeddingLoss):
    """Squared difference between the cosine of two embeddings and a score.

    Other names: the regression objective of Sentence-BERT; `CosineSimilarityLoss` in
    sentence-transformers.

    Formula: (cos(u, v) - target)^2, where `score_range` is mapped onto `cosine_range` linearly.

    Inputs: two texts and a score of how alike they are.

    Neighbours: `CoSENT` and `Angle` want the right order only, which is what Spearman's correlation
    measures; `Contrastive` is for pairs that are alike or not.

    Worked example: STS-B's scores go from 0 to 5, so 2.5 asks for a cosine of 0.5. Orthogonal
    embeddings have 0.

    >>> import torch
    >>> loss = CosineSimilarity(CosineSimilarityConfig(score_range=(0, 5)))
    >>> loss(torch.tensor([[[1.0, 0.0], [0.0, 2.0]]]), torch.tensor([2.5]))
    tensor([0.2500])

    Source: Reimers and Gurevych 2019 (arXiv 1908.10084), section 3.1, regression objective.
    """

    name = "cosine-similarity"
    scope = "example"
    texts = (2, 2)
    labels = "score"

    def __init__(self, config: CosineSimilarityConfig) -> None:
        super().__init__()
        self.score_range, self.cosine_range = config.score_range, config.cosine_range

    def compute(self, embeddings: Tensor, labels: Tensor, _ids: Tensor | None, /) -> Tensor:
        """(G,) squared cosines."""
        (low, high), (least, greatest) = self.score_range, self.cosine_range
        check_range(self.name, labels, low, high, "Mend the scores, or declare `score_range`.")
        share = (labels - low) / (high - low)
        targets = least + share * (greatest - least)
        return (cosine(embeddings[:, 0], embeddings[:, 1]) - targets).square()
