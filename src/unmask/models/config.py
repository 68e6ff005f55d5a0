"""Sizes of the families; imports no tensors, so that a command line can read them fast."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Activation = Literal["gelu", "gelu_new", "relu"]
Preset = Literal["tiny", "mini", "small", "medium", "base", "large"]


class BertConfig(BaseModel):
    """BERT's numbers in Hugging Face's spelling; the defaults are BERT-base, uncased."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    vocab_size: int = Field(default=30522, ge=1, le=2_000_000)
    """Rows of the token embedding."""
    hidden_size: int = Field(default=768, ge=1, le=16_384)
    """Width of the hidden states."""
    num_hidden_layers: int = Field(default=12, ge=1, le=256)
    """Blocks, visited in order."""
    num_attention_heads: int = Field(default=12, ge=1, le=512)
    """Heads of each block; they share out `hidden_size` evenly."""
    intermediate_size: int = Field(default=3072, ge=1, le=65_536)
    """Width inside the feed-forward network."""
    hidden_act: Activation = "gelu"
    """Activation of the feed-forward network and of the masked language model head."""
    hidden_dropout_prob: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of embedding and block outputs zeroed while training."""
    attention_probs_dropout_prob: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of attention weights zeroed while training."""
    classifier_dropout: float | None = Field(default=None, ge=0.0, lt=1.0)
    """Share of a classifier's input zeroed while training; None means `hidden_dropout_prob`."""
    max_position_embeddings: int = Field(default=512, ge=1, le=131_072)
    """Longest sequence in tokens, specials included."""
    type_vocab_size: int = Field(default=2, ge=1, le=1024)
    """Segments that can be told apart."""
    initializer_range: float = Field(default=0.02, gt=0.0, le=1.0)
    """Standard deviation of the initial weights."""
    layer_norm_eps: float = Field(default=1e-12, gt=0.0, le=1e-2)
    """Added to the variance in layer normalisation."""
    pad_token_id: int = Field(default=0, ge=0)
    """Id of `[PAD]`, kept for other tools; nothing here pads."""

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads "
                f"{self.num_attention_heads}"
            )
        return self


_SHAPES: tuple[tuple[Preset, int, int], ...] = (
    ("tiny", 2, 128),
    ("mini", 4, 256),
    ("small", 4, 512),
    ("medium", 8, 512),
    ("base", 12, 768),
    ("large", 24, 1024),
)

PRESETS: dict[Preset, dict[str, int]] = {
    name: {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": width // 64,
        "intermediate_size": 4 * width,
    }
    for name, layers, width in _SHAPES
}
"""Layers and widths: base and large of Devlin et al. 2019, the smaller ones of Turc et al. 2019."""
