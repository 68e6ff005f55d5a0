"""From hidden states to scores over the vocabulary."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from unmask.nn.linear import Linear


class PredictionHead(nn.Module):
    """A layer, its activation and a norm before scores (transformers, `ModernBertPredictionHead`).

    ModernBERT has it before every head, over single tokens as well as pooled sequences.
    """

    def __init__(
        self,
        hidden_size: int,
        activation: Callable[[Tensor], Tensor],
        norm: nn.Module,
        *,
        bias: bool,
    ) -> None:
        super().__init__()
        self.dense = Linear(hidden_size, hidden_size, bias=bias)
        self.activation = activation
        self.norm = norm

    def forward(self, hidden: Tensor) -> Tensor:
        """(M, D) to (M, D)."""
        normed: Tensor = self.norm(self.activation(self.dense(hidden)))
        return normed


class TiedDecoder(nn.Module):
    """A prediction head, then scores by the token embedding's own weights."""

    def __init__(self, embedding: nn.Embedding, head: PredictionHead, *, bias: bool) -> None:
        super().__init__()
        vocab_size, embedding_size = embedding.weight.shape
        self.head = head
        self.decoder = Linear(embedding_size, vocab_size, bias=bias)
        self.decoder.weight = embedding.weight

    def forward(self, hidden: Tensor) -> Tensor:
        """(M, D) to (M, V) logits; give it only the rows whose scores are wanted."""
        logits: Tensor = self.decoder(self.head(hidden))
        return logits


class MaskedLMHead(nn.Module):
    """Transform, then scores over the vocabulary by the token embedding's own weights.

    google-research/bert, `run_pretraining.py`, `get_masked_lm_output`. Where the embedding is
    narrower than the hidden states, the transform goes to its width.
    """

    def __init__(
        self,
        embedding: nn.Embedding,
        hidden_size: int,
        activation: Callable[[Tensor], Tensor],
        layer_norm_eps: float,
    ) -> None:
        super().__init__()
        vocab_size, embedding_size = embedding.weight.shape
        self.transform = Linear(hidden_size, embedding_size)
        self.activation = activation
        self.norm = nn.LayerNorm(embedding_size, eps=layer_norm_eps)
        self.decoder = Linear(embedding_size, vocab_size)
        self.decoder.weight = embedding.weight

    def forward(self, hidden: Tensor) -> Tensor:
        """(M, D) to (M, V) logits; give it only the rows whose scores are wanted."""
        logits: Tensor = self.decoder(self.norm(self.activation(self.transform(hidden))))
        return logits
