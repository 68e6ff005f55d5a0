"""RoBERTa's numbers."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from unmask.models.sizes.encoder import EncoderConfig


class RobertaConfig(EncoderConfig):
    """The defaults are RoBERTa-base; XLM-RoBERTa differs by its vocabulary of 250,002 alone."""

    vocab_size: int = Field(default=50265, ge=1, le=2_000_000)
    """Rows of the token embedding."""
    max_position_embeddings: int = Field(default=514, ge=1, le=131_072)
    """Rows of the position embedding; the first position is `pad_token_id` + 1, so that as many
    rows less are used."""
    layer_norm_eps: float = Field(default=1e-5, gt=0.0, le=1e-2)
    """Added to the variance in layer normalisation."""
    pad_token_id: int = Field(default=1, ge=0)
    """Id of the padding token, from which positions are counted."""
    type_vocab_size: int = Field(default=1, ge=1, le=1024)
    """Rows of the segment embedding. RoBERTa has one, added everywhere: pairs are told apart by two
    separators."""

    @property
    def max_length(self) -> int:
        """Rows of the position embedding above the padding's."""
        return self.max_position_embeddings - self.pad_token_id - 1

    @model_validator(mode="after")
    def _positions_are_left(self) -> Self:
        if self.max_length < 1:
            raise ValueError(
                f"max_position_embeddings {self.max_position_embeddings} leaves no position, since "
                f"the first is pad_token_id {self.pad_token_id} + 1"
            )
        return self


class XlmRobertaConfig(RobertaConfig):
    """XLM-RoBERTa-base: RoBERTa over a vocabulary of a hundred languages."""

    vocab_size: int = Field(default=250002, ge=1, le=2_000_000)
    """Rows of the token embedding."""
