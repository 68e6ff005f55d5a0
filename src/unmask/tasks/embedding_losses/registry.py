"""Every embedding loss by its name."""

from __future__ import annotations

import logging

from unmask.errors import UsageError
from unmask.tasks.embedding_losses.config import EmbeddingLossConfig
from unmask.tasks.embedding_losses.contrastive import Contrastive, OnlineContrastive
from unmask.tasks.embedding_losses.cosine_similarity import CosineSimilarity
from unmask.tasks.embedding_losses.distillation import EmbeddingMSE, KLDivergence, MarginMSE
from unmask.tasks.embedding_losses.loss import EmbeddingLoss
from unmask.tasks.embedding_losses.matryoshka import Matryoshka
from unmask.tasks.embedding_losses.ordering import Angle, CoSENT
from unmask.tasks.embedding_losses.ranking import MultipleNegativesRanking, SimCSE
from unmask.tasks.embedding_losses.softmax import Softmax
from unmask.tasks.embedding_losses.triplet import Triplet

logger = logging.getLogger(__name__)

LOSSES: dict[str, type[EmbeddingLoss]] = {
    "softmax": Softmax,
    "cosine-similarity": CosineSimilarity,
    "contrastive": Contrastive,
    "online-contrastive": OnlineContrastive,
    "triplet": Triplet,
    "multiple-negatives-ranking": MultipleNegativesRanking,
    "simcse": SimCSE,
    "cosent": CoSENT,
    "angle": Angle,
    "margin-mse": MarginMSE,
    "kl-divergence": KLDivergence,
    "embedding-mse": EmbeddingMSE,
}
"""What examples a loss takes (`texts`, `labels`, `passes`) is known before it is built."""


def build(
    config: EmbeddingLossConfig, dimension: int, num_classes: int | None = None
) -> EmbeddingLoss:
    """The loss for embeddings of `dimension` entries; `num_classes` where labels are classes.

    Raises:
        UsageError: Too few classes, or a truncated embedding longer than the whole.
    """
    kind = LOSSES[config.name]
    wrapped = config.matryoshka
    if wrapped is None:
        return kind.begin(config, dimension, num_classes)
    if max(wrapped.dims) > dimension:
        raise UsageError(
            f"matryoshka.dims: {max(wrapped.dims)} exceeds the {dimension} entries of an embedding."
        )
    if dimension not in wrapped.dims:
        logger.warning(
            "matryoshka.dims %s are without the whole embedding, which nothing trains then: add %d",
            list(wrapped.dims),
            dimension,
        )
    losses = [kind.begin(config, size, num_classes) for size in wrapped.dims]
    return Matryoshka(wrapped, losses, dimension)
