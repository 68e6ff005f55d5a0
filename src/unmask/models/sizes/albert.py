"""ALBERT's numbers."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from unmask.models.sizes.encoder import Activation, EncoderConfig
from unmask.models.sizes.presets import Preset


class AlbertConfig(EncoderConfig):
    """The defaults are ALBERT-base (Lan et al. 2020, table 1)."""

    vocab_size: int = Field(default=30000, ge=1, le=2_000_000)
    """Rows of the token embedding."""
    hidden_act: Activation = "gelu_new"
    """Activation of the feed-forward network and of the masked language model head."""
    hidden_dropout_prob: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of embedding and block outputs zeroed while training."""
    attention_probs_dropout_prob: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of attention weights zeroed while training."""
    classifier_dropout: float | None = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of a classifier's input zeroed while training; None means `hidden_dropout_prob`."""
    type_vocab_size: int = Field(default=2, ge=1, le=1024)
    """Rows of the segment embedding."""
    embedding_size: int = Field(default=128, ge=1, le=16_384)
    """Width of the embeddings, which a projection widens to `hidden_size`."""
    num_hidden_groups: int = Field(default=1, ge=1, le=256)
    """Groups of layers; the layers of one share their weights."""
    inner_group_num: int = Field(default=1, ge=1, le=16)
    """Blocks of a group, visited one after another for each layer."""

    @classmethod
    def preset(cls, name: Preset) -> dict[str, int]:
        """Layers and widths by name; embeddings are never wider than the blocks."""
        sizes = super().preset(name)
        return {**sizes, "embedding_size": min(128, sizes["hidden_size"] // 2)}

    @property
    def embedding_width(self) -> int:
        """Columns of the token embedding."""
        return self.embedding_size

    @property
    def num_segments(self) -> int:
        """One for each row."""
        return self.type_vocab_size

    @property
    def num_blocks(self) -> int:
        """Of all groups."""
        return self.num_hidden_groups * self.inner_group_num

    @property
    def order(self) -> tuple[int, ...]:
        """The block that each step visits: the layers share out the groups evenly.

        Where they cannot, transformers' floating-point quotient decides (`AlbertTransformer`),
        which at a few sizes rounds down where whole numbers would not.
        """
        layers, groups, inner = (
            self.num_hidden_layers,
            self.num_hidden_groups,
            self.inner_group_num,
        )
        return tuple(
            int(layer / (layers / groups)) * inner + i
            for layer in range(layers)
            for i in range(inner)
        )

    @model_validator(mode="after")
    def _every_group_has_a_layer(self) -> Self:
        if self.num_hidden_groups > self.num_hidden_layers:
            raise ValueError(
                f"num_hidden_groups {self.num_hidden_groups} is more than num_hidden_layers "
                f"{self.num_hidden_layers}: a group without layers would never be visited"
            )
        return self
