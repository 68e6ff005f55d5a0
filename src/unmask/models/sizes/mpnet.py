"""MPNet's numbers."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from unmask.models.sizes.encoder import EncoderConfig

MPNET_PADDING = 1
"""Id of the padding token by which other tools count positions, whatever a config says
(transformers, `modeling_mpnet.py`, `MPNetEmbeddings`)."""


class MpnetConfig(EncoderConfig):
    """The defaults are MPNet-base."""

    vocab_size: int = Field(default=30527, ge=1, le=2_000_000)
    """Rows of the token embedding."""
    max_position_embeddings: int = Field(default=514, ge=3, le=131_072)
    """Rows of the position embedding, the first two of which no token reads."""
    layer_norm_eps: float = Field(default=1e-5, gt=0.0, le=1e-2)
    """Added to the variance in layer normalisation."""
    pad_token_id: int = Field(default=MPNET_PADDING, ge=0)
    """Id of the padding token, from which positions are counted; it is always 1."""

    @property
    def max_length(self) -> int:
        """Rows of the position embedding above the padding's."""
        return self.max_position_embeddings - self.pad_token_id - 1

    @model_validator(mode="after")
    def _is_theirs(self) -> Self:
        if self.pad_token_id != MPNET_PADDING:
            raise ValueError(
                f"pad_token_id is {self.pad_token_id}, but MPNet counts positions by a padding "
                f"token of id {MPNET_PADDING} in every other tool, whatever the config says: take "
                "a tokenizer with that padding, or family roberta, which counts by its own"
            )
        if self.classifier_dropout is not None:
            raise ValueError(
                f"classifier_dropout is {self.classifier_dropout:g}, but MPNet's heads drop out as "
                "its blocks do: set hidden_dropout_prob, or leave it out"
            )
        return self
