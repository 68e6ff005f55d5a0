"""The classifier over two embeddings by which Sentence-BERT learned."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from unmask.errors import UsageError
from unmask.nn.linear import Linear
from unmask.tasks.embedding_losses.checks import check_range
from unmask.tasks.embedding_losses.config import SoftmaxConfig
from unmask.tasks.embedding_losses.loss import EmbeddingLoss


class Softmax(EmbeddingLoss):
    """Cross-entropy of a linear classifier that reads u, v and |u - v|.

    Other names: the classification objective of Sentence-BERT, NLI softmax loss; `SoftmaxLoss` in
    sentence-transformers.

    Formula: -log softmax(W [u; v; |u - v|] + b)[class], in nats.

    Inputs: two texts and a class. The classifier is thrown away after training, and nothing in the
    loss asks that cosines mean anything; that they come to do is an observation of the paper.

    Neighbours: `MultipleNegativesRanking` over the entailed pairs, with contradictions as hard
    negatives, mostly gives better embeddings from the same data.

    The classifier has a bias, which the paper's formula has not and sentence-transformers has.

    Worked example: embeddings 1 and 3 of one entry give the features (1, 3, 2). The only weight
    that is not zero takes |u - v| to the right class, whose score is 2 against 0:
    log(1 + exp(-2)).

    >>> loss = Softmax(SoftmaxConfig(), dimension=1, num_classes=2)
    >>> weights = {"weight": torch.tensor([[0.0, 0, 0], [0, 0, 1]]), "bias": torch.zeros(2)}
    >>> _ = loss.classifier.load_state_dict(weights)
    >>> round(loss(torch.tensor([[[1.0], [3.0]]]), torch.tensor([1])).item(), 4)
    0.1269

    Source: Reimers and Gurevych 2019 (arXiv 1908.10084), section 3.1, classification objective.
    """

    name = "softmax"
    scope = "example"
    texts = (2, 2)
    labels = "class"

    def __init__(self, config: SoftmaxConfig, dimension: int, num_classes: int) -> None:
        super().__init__()
        self.features = config.features
        width = sum(2 if name == "vectors" else 1 for name in config.features) * dimension
        self.classifier = Linear(width, num_classes)

    @classmethod
    def begin(cls, config: SoftmaxConfig, dimension: int, num_classes: int | None, /) -> Softmax:
        """With its classifier.

        Raises:
            UsageError: Fewer than two classes.
        """
        if num_classes is None or num_classes < 2:
            raise UsageError(f"softmax: {num_classes or 'no'} classes, expected at least 2.")
        return cls(config, dimension, num_classes)

    def compute(self, embeddings: Tensor, labels: Tensor, _ids: Tensor | None, /) -> Tensor:
        """(G,) in nats."""
        last = self.classifier.out_features - 1
        check_range(self.name, labels, 0, last, "Classes are counted from 0.")
        u, v = embeddings.unbind(1)  # (G, E) each
        found = {"vectors": torch.cat([u, v], -1), "difference": (u - v).abs(), "product": u * v}
        read = torch.cat([found[name] for name in found if name in self.features], -1)
        return functional.cross_entropy(self.classifier(read), labels, reduction="none")
