"""What a teacher thinks of texts, learned by embeddings."""

from __future__ import annotations

from torch import Tensor

from unmask.errors import UsageError
from unmask.nn.linear import Linear
from unmask.tasks.embedding_losses.config import (
    EmbeddingMSEConfig,
    KLDivergenceConfig,
    MarginMSEConfig,
)
from unmask.tasks.embedding_losses.loss import EmbeddingLoss
from unmask.tasks.embedding_losses.similarity import SIMILARITIES


class MarginMSE(EmbeddingLoss):
    """Squared difference between how much better the first text is, here and for the teacher.

    Other names: margin distillation; `MarginMSELoss` in sentence-transformers.

    Formula: the mean over the negatives j of ((s_1 - s_j) - (t_1 - t_j))^2, with s the scaled
    similarities of the anchor to the texts and t the teacher's scores.

    Inputs: an anchor, a positive and at least one negative; the teacher's score for each of these
    texts with the anchor, or the differences positive minus negative, one a negative.

    Neighbours: `KLDivergence` learns the teacher's probabilities, for which a constant added to all
    scores of an anchor does not matter either, but large differences matter less.

    Worked example: inner products 3 and 1 where the teacher has 9 and 4: (2 - 5)^2.

    >>> import torch
    >>> loss = MarginMSE(MarginMSEConfig())
    >>> loss(torch.tensor([[[1.0], [3.0], [1.0]]]), torch.tensor([[9.0, 4.0]]))
    tensor([9.])

    Source: Hofstätter et al. 2020 (arXiv 2010.02666), the Margin-MSE loss.
    """

    name = "margin-mse"
    scope = "example"
    texts = (3, None)
    labels = "scores"

    def __init__(self, config: MarginMSEConfig) -> None:
        super().__init__()
        self.scale, self.prepare = config.scale, SIMILARITIES[config.similarity]

    def compute(self, embeddings: Tensor, labels: Tensor, _ids: Tensor | None, /) -> Tensor:
        """(G,) in the teacher's unit squared."""
        found = self.scale * _similarities(self.prepare(embeddings))  # (G, K - 1)
        num_texts = found.shape[1]
        if labels.shape[1] not in (num_texts, num_texts - 1):
            raise UsageError(
                f"margin-mse: {labels.shape[1]} scores for {num_texts} texts beside the anchor, "
                f"expected {num_texts}, or {num_texts - 1} differences positive minus negative."
            )
        wanted = labels
        if labels.shape[1] == num_texts:
            wanted = labels[:, :1] - labels[:, 1:]  # (G, K - 2)
        return (found[:, :1] - found[:, 1:] - wanted).square().mean(1)


class KLDivergence(EmbeddingLoss):
    """How far the probabilities that similarities give lie from those of the teacher's scores.

    Other names: score distillation, soft labels; `DistillKLDivLoss` in sentence-transformers.

    Formula: T_s^2 * sum over the texts j of q_j (log q_j - log p_j) in nats, with p the softmax of
    the similarities over T_s and q that of the teacher's scores over T_t. The square keeps the
    gradient's size where T_s is raised (Hinton et al. 2015, arXiv 1503.02531, section 2).

    Inputs: an anchor and at least two texts; the teacher's score for each with the anchor.

    Neighbours: `MarginMSE` wants the teacher's differences themselves.

    Worked example: equal similarities, p = (1/2, 1/2), and a teacher whose scores differ by log 3,
    q = (3/4, 1/4): 3/4 log(3/2) + 1/4 log(1/2).

    >>> import math, torch
    >>> loss = KLDivergence(KLDivergenceConfig())
    >>> found = loss(torch.tensor([[[1.0], [2.0], [2.0]]]), torch.tensor([[math.log(3), 0.0]]))
    >>> round(found.item(), 4)
    0.1308

    Source: Lin, Yang and Lin 2020 (arXiv 2010.11386), with the scores of any teacher.
    """

    name = "kl-divergence"
    scope = "example"
    texts = (3, None)
    labels = "scores"

    def __init__(self, config: KLDivergenceConfig) -> None:
        super().__init__()
        self.prepare = SIMILARITIES[config.similarity]
        self.student_temperature = config.student_temperature
        self.teacher_temperature = config.teacher_temperature

    def compute(self, embeddings: Tensor, labels: Tensor, _ids: Tensor | None, /) -> Tensor:
        """(G,) in nats."""
        found = _similarities(self.prepare(embeddings))  # (G, K - 1)
        if labels.shape != found.shape:
            raise UsageError(
                f"kl-divergence: {labels.shape[1]} scores for {found.shape[1]} texts beside the "
                "anchor, expected one each."
            )
        student = (found / self.student_temperature).log_softmax(1)
        teacher = (labels / self.teacher_temperature).log_softmax(1)
        divergence = (teacher.exp() * (teacher - student)).sum(1)
        return self.student_temperature**2 * divergence


class EmbeddingMSE(EmbeddingLoss):
    """Mean squared difference between embeddings and a teacher's vectors.

    Other names: embedding distillation, knowledge distillation of sentence embeddings; `MSELoss` in
    sentence-transformers.

    Formula: the mean over texts and entries of (u - t)^2; with `teacher_dimension` W u + b stands
    for u.

    Inputs: any number of texts, and the teacher's vector of each, or one that is meant for all of
    them: of the English sentence, for it and its translation.

    Neighbours: `MarginMSE` and `KLDivergence` learn from a cross-encoder, which has scores only.

    Worked example: (0 - 1)^2 and (2 - 2)^2, their mean.

    >>> import torch
    >>> loss = EmbeddingMSE(EmbeddingMSEConfig(), dimension=2)
    >>> loss(torch.tensor([[[0.0, 2.0]]]), torch.tensor([[[1.0, 2.0]]]))
    tensor([0.5000])

    Source: Reimers and Gurevych 2020 (arXiv 2004.09813), section 2; with a map, Kim et al. 2023
    (arXiv 2301.12005), equations 7 and 8.
    """

    name = "embedding-mse"
    scope = "example"
    texts = (1, None)
    labels = "vectors"

    def __init__(self, config: EmbeddingMSEConfig, dimension: int) -> None:
        super().__init__()
        wanted = config.teacher_dimension
        self.map = None if wanted is None else Linear(dimension, wanted)

    @classmethod
    def begin(
        cls, config: EmbeddingMSEConfig, dimension: int, _num_classes: int | None, /
    ) -> EmbeddingMSE:
        """With its map, if it has one."""
        return cls(config, dimension)

    @property
    def compares_entries(self) -> bool:
        """Unless a map stands between them."""
        return self.map is None

    def compute(self, embeddings: Tensor, labels: Tensor, _ids: Tensor | None, /) -> Tensor:
        """(G,) in the vectors' unit squared."""
        found = embeddings
        if self.map is not None:
            found = self.map(found.flatten(0, 1)).unflatten(0, found.shape[:2])  # (G, K, E')
        if labels.shape[1] not in (1, found.shape[1]):
            raise UsageError(
                f"embedding-mse: {labels.shape[1]} vectors for {found.shape[1]} texts, expected "
                "one each, or one for all."
            )
        if labels.shape[2] != found.shape[2]:
            advice = "Set" if self.map is None else "Correct"
            raise UsageError(
                f"embedding-mse: the teacher's vectors have {labels.shape[2]} entries, expected "
                f"{found.shape[2]}. {advice} `teacher_dimension`."
            )
        return (found - labels).square().mean((1, 2))


def _similarities(vectors: Tensor) -> Tensor:
    """(G, K, E) to (G, K - 1): inner products of each anchor with its texts."""
    return (vectors[:, :1] * vectors[:, 1:]).sum(-1)
