"""What an embedding loss is: a pure function of embeddings and labels, perhaps with weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from torch import Tensor, nn

from unmask.errors import UsageError
from unmask.tasks.embedding_losses.checks import check_embeddings, check_ids, check_labels
from unmask.tasks.losses import widened

Scope = Literal["example", "batch"]
LabelKind = Literal["none", "score", "class", "scores", "vectors"]


class EmbeddingLoss(nn.Module, ABC):
    """G examples of K texts, embedded in E dimensions, to a loss.

    It keeps no state, draws nothing and changes none of what it is given, so that embeddings may
    come from a cache, from other processes, or straight from the encoder: the gradient that they
    get is the same. Arithmetic is at least fp32, under autocast too.

    Weights of a loss (`softmax`, `embedding-mse` with a map) are drawn by torch's default; who
    wants them seeded draws them again, see `nn.init.initialise`.
    """

    name: str
    """In the field's spelling; the key in `registry.LOSSES`."""
    scope: Scope
    """What is returned: "example" a loss of each example (G,), which do not know of each other;
    "batch" the loss () of a whole batch, which is no sum over parts of it."""
    texts: tuple[int, int | None]
    """Least and greatest K; None where there is no greatest."""
    labels: LabelKind
    """What comes with the examples: nothing; a "score" (G,); a "class" (G,) int64; "scores" (G, L)
    of a teacher; "vectors" (G, K, E') or (G, 1, E') of a teacher."""
    passes: int = 1
    """How many of an example's embeddings are passes over one text, each with its own dropout; such
    a loss is given K embeddings of K / passes texts."""
    uses_ids: bool = False
    """Whether `ids` make a difference: the texts of other examples are wrong answers, unless they
    are equal."""

    @property
    def compares_entries(self) -> bool:
        """Whether `labels` are vectors of which each entry stands beside one of the embeddings'."""
        return False

    @classmethod
    def begin(cls, config: Any, _dimension: int, _num_classes: int | None, /) -> EmbeddingLoss:
        """With its settings, for embeddings of so many entries, and so many classes, if any."""
        return cls(config)

    def forward(
        self, embeddings: Tensor, labels: Tensor | None = None, ids: Tensor | None = None
    ) -> Tensor:
        """(G,) or (), see `scope`, in fp32, or in fp64 if the embeddings are.

        Args:
            embeddings: (G, K, E), anchors or first texts in `[:, 0]`.
            labels: As the attribute `labels` says.
            ids: (G, K) int64 that are equal for equal texts, in any column.

        Raises:
            UsageError: Wrong number of texts or labels, a label that is not finite or out of range.
        """
        check_embeddings(self.name, embeddings, self.texts)
        if self.scope == "batch" and not len(embeddings):
            raise UsageError(f"{self.name}: a batch of no examples has no loss.")
        check_labels(self.name, self.labels, labels, embeddings)
        check_ids(self.name, ids, embeddings)
        with torch.autocast(embeddings.device.type, enabled=False):
            wide = widened(embeddings)
            if labels is None:
                labels = wide.new_empty(0)
            elif self.labels != "class":
                labels = labels.to(wide.dtype)
            return self.compute(wide, labels, ids)

    @abstractmethod
    def compute(self, embeddings: Tensor, labels: Tensor, ids: Tensor | None, /) -> Tensor:
        """The same of checked input in one precision; `labels` is empty where there are none."""
