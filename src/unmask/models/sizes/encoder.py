"""What the config of every family has; imports no tensors, as no config does."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from unmask.models.sizes.presets import PRESETS, Preset

Activation = Literal["gelu", "gelu_new", "relu"]


class EncoderConfig(BaseModel):
    """The numbers of an encoder, in the spelling that BERT has at Hugging Face.

    A family subclasses it with its own fields and defaults.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    detects_replaced: ClassVar[bool] = False
    """Whether the family has a head that tells replaced tokens."""

    vocab_size: int = Field(default=30522, ge=1, le=2_000_000)
    """Rows of the token embedding."""
    hidden_size: int = Field(default=768, ge=1, le=16_384)
    """Width of the hidden states."""
    num_hidden_layers: int = Field(default=12, ge=1, le=256)
    """Blocks that are visited."""
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
    """Positions that the model knows, see `max_length`."""
    initializer_range: float = Field(default=0.02, gt=0.0, le=1.0)
    """Standard deviation of the initial weights."""
    layer_norm_eps: float = Field(default=1e-12, gt=0.0, le=1e-2)
    """Added to the variance in layer normalisation."""
    pad_token_id: int = Field(default=0, ge=0)
    """Id of the padding token, kept for other tools; nothing here pads."""

    @classmethod
    def preset(cls, name: Preset) -> dict[str, int]:
        """Layers and widths by name."""
        return dict(PRESETS[name])

    @property
    def max_length(self) -> int:
        """Longest sequence in tokens, specials included."""
        return self.max_position_embeddings

    @property
    def num_segments(self) -> int:
        """Segments that can be told apart; 1 where there is no telling."""
        return 1

    @property
    def is_control(self) -> bool:
        """Whether it exists for one experiment, and nothing else may use it."""
        return False

    @property
    def num_blocks(self) -> int:
        """Blocks with weights of their own."""
        return self.num_hidden_layers

    @property
    def head_dropout(self) -> float:
        """Share of a classifier's input zeroed while training."""
        rate = self.classifier_dropout
        return self.hidden_dropout_prob if rate is None else rate

    @property
    def token_head_dropout(self) -> float:
        """The same where a classifier reads tokens."""
        return self.head_dropout

    @property
    def span_head_dropout(self) -> float:
        """The same where the start and end of an answer are read off."""
        return 0.0

    @property
    def embedding_width(self) -> int:
        """Columns of the token embedding."""
        return self.hidden_size

    @property
    def judges_pairs(self) -> bool:
        """Whether the family has a head for pairs of segments beside the one for masked tokens."""
        return self.num_segments > 1

    @property
    def can_begin_at_neighbours(self) -> bool:
        """Whether `nn.init.look_at_neighbours` has positions to aim by."""
        return True

    def with_dropout(self, rate: float) -> Self:
        """The same with another share zeroed of block outputs and attention weights."""
        update = {"hidden_dropout_prob": rate, "attention_probs_dropout_prob": rate}
        return self.model_copy(update=update)

    @property
    def classifier_deviation(self) -> float | None:
        """Standard deviation of a classifier's initial weights; None means `initializer_range`."""
        return None

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads "
                f"{self.num_attention_heads}"
            )
        return self
