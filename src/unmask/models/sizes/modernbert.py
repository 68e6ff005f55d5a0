"""ModernBERT's numbers."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from unmask.models.sizes.encoder import EncoderConfig
from unmask.models.sizes.presets import Preset

Reach = Literal["full_attention", "sliding_attention"]
_MULTIPLE = 64


class ModernBertConfig(EncoderConfig):
    """The defaults are ModernBERT-base (Warner et al. 2024, table 4)."""

    vocab_size: int = Field(default=50368, ge=1, le=2_000_000)
    """Rows of the token embedding."""
    num_hidden_layers: int = Field(default=22, ge=1, le=256)
    """Blocks, visited in order."""
    intermediate_size: int = Field(default=1152, ge=1, le=65_536)
    """Width inside the feed-forward network, which computes twice as many numbers: half are gates.
    """
    hidden_dropout_prob: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the feed-forward network's inner numbers zeroed while training."""
    embedding_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the embedding's output zeroed while training."""
    attention_probs_dropout_prob: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of attention weights, and of attention's output, zeroed while training."""
    classifier_dropout: float | None = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of a classifier's input zeroed while training; None means `hidden_dropout_prob`."""
    max_position_embeddings: int = Field(default=8192, ge=1, le=131_072)
    """Longest sequence that it was trained for; positions themselves have no table."""
    initializer_cutoff_factor: float = Field(default=2.0, gt=0.0, le=100.0)
    """Standard deviations at which initial weights are cut off."""
    layer_norm_eps: float = Field(default=1e-5, gt=0.0, le=1e-2)
    """Added to the variance in layer normalisation."""
    pad_token_id: int = Field(default=50283, ge=0)
    """Id of the padding token, kept for other tools; nothing here pads."""
    norm_bias: bool = False
    """Whether layer normalisations have a bias."""
    attention_bias: bool = False
    """Whether attention's projections have a bias."""
    mlp_bias: bool = False
    """Whether the feed-forward network's projections have a bias."""
    decoder_bias: bool = True
    """Whether the masked language model's decoder has a bias."""
    classifier_bias: bool = False
    """Whether the layer before a head has a bias."""
    classifier_activation: Literal["gelu", "gelu_new", "relu"] = "gelu"
    """Activation of that layer."""
    local_attention: int = Field(default=128, ge=2, le=131_072)
    """Width of the window of local attention, half of it to either side."""
    layer_types: tuple[Reach, ...] | None = None
    """How far each layer's attention reaches; without it every third, from the first on, all the
    way."""
    global_rope_theta: float = Field(default=160_000.0, gt=1.0)
    """Base of the rotary angles where attention reaches all the way."""
    local_rope_theta: float = Field(default=10_000.0, gt=1.0)
    """The same of local attention."""

    @classmethod
    def preset(cls, name: Preset) -> dict[str, int]:
        """Layers and widths by name, feed-forward networks 1.5 times as wide as the blocks."""
        sizes = super().preset(name)
        inner = -(-3 * sizes["hidden_size"] // (2 * _MULTIPLE)) * _MULTIPLE
        return {**sizes, "intermediate_size": inner}

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """Of each layer."""
        if self.layer_types is not None:
            return self.layer_types
        return tuple(
            "sliding_attention" if layer % 3 else "full_attention"
            for layer in range(self.num_hidden_layers)
        )

    @property
    def can_begin_at_neighbours(self) -> bool:
        """It has no table of positions."""
        return False

    def with_dropout(self, rate: float) -> Self:
        """The same with another share zeroed."""
        return super().with_dropout(rate).model_copy(update={"embedding_dropout": rate})

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.layer_types is not None and len(self.layer_types) != self.num_hidden_layers:
            raise ValueError(
                f"layer_types has {len(self.layer_types)} entries for num_hidden_layers "
                f"{self.num_hidden_layers}"
            )
        width = self.hidden_size // self.num_attention_heads
        if width % 2:
            raise ValueError(f"heads are {width} wide; rotary positions need an even width")
        return self
