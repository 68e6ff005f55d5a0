"""Heads of the fine-tuning tasks, named by what they are made of; tasks share them.

What lies between the hidden states and a head's own weights is the family's: a pooler for
sequences, a transform (identity for most) for tokens.
"""

from __future__ import annotations

from torch import Tensor, nn

from unmask.nn.dropout import Dropout
from unmask.nn.linear import Linear


class PooledClassifier(nn.Module):
    """K scores from the pooled `[CLS]`, for classification and multiple choice.

    Devlin et al. 2019, section 4.1; google-research/bert, `run_classifier.py`, `create_model`.
    """

    def __init__(
        self, pooler: nn.Module, hidden_size: int, num_outputs: int, dropout_rate: float
    ) -> None:
        super().__init__()
        self.pooler = pooler
        self.dropout = Dropout(dropout_rate)
        self.classifier = Linear(hidden_size, num_outputs)

    def forward(self, first_hidden: Tensor) -> Tensor:
        """(B, D) hidden states of `[CLS]` to (B, K)."""
        scores: Tensor = self.classifier(self.dropout(self.pooler(first_hidden)))
        return scores


class Classifier(nn.Module):
    """K scores from each vector: of tokens for tagging, or of pooled sequences.

    Devlin et al. 2019, section 5.3.
    """

    def __init__(
        self, transform: nn.Module, hidden_size: int, num_outputs: int, dropout_rate: float
    ) -> None:
        super().__init__()
        self.transform = transform
        self.dropout = Dropout(dropout_rate)
        self.classifier = Linear(hidden_size, num_outputs)

    def forward(self, hidden: Tensor) -> Tensor:
        """(M, D) to (M, K)."""
        scores: Tensor = self.classifier(self.dropout(self.transform(hidden)))
        return scores


class SpanHead(nn.Module):
    """How well an answer starts and ends at each token.

    Devlin et al. 2019, section 4.2: two vectors, without bias there; google-research/bert,
    `run_squad.py`, and Hugging Face have one, which wins. Softmax over a window cancels it.
    """

    def __init__(self, transform: nn.Module, hidden_size: int, dropout_rate: float = 0.0) -> None:
        super().__init__()
        self.transform = transform
        self.dropout = Dropout(dropout_rate)
        self.outputs = Linear(hidden_size, 2)

    def forward(self, hidden: Tensor) -> Tensor:
        """(N, D) to (N, 2) logits of start and end."""
        logits: Tensor = self.outputs(self.dropout(self.transform(hidden)))
        return logits
