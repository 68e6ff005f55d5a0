"""DistilBERT's numbers."""

from __future__ import annotations

from pydantic import Field

from unmask.models.sizes.encoder import EncoderConfig


class DistilBertConfig(EncoderConfig):
    """The defaults are DistilBERT-base, uncased."""

    num_hidden_layers: int = Field(default=6, ge=1, le=256)
    """Blocks, visited in order."""
    layer_norm_eps: float = Field(default=1e-12, ge=1e-12, le=1e-12)
    """Added to the variance in layer normalisation; transformers' code knows this one alone."""
    classifier_dropout: float | None = Field(default=0.2, ge=0.0, lt=1.0)
    """Share of a sequence classifier's input zeroed while training; None means
    `hidden_dropout_prob`."""
    qa_dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of a span head's input zeroed while training."""

    @property
    def token_head_dropout(self) -> float:
        """That of the blocks (transformers, `DistilBertForTokenClassification`)."""
        return self.hidden_dropout_prob

    @property
    def span_head_dropout(self) -> float:
        """Its own."""
        return self.qa_dropout
