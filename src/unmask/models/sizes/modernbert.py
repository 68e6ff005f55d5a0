"""ModernBERT's numbers."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from unmask.models.sizes.encoder import Activation, EncoderConfig
from unmask.models.sizes.presets import Preset

LayerType = Literal["full_attention", "sliding_attention"]


class ModernBertConfig(EncoderConfig):
    """The defaults are ModernBERT-base (Warner et al. 2024, arXiv 2412.13663, table 4)."""

    vocab_size: int = Field(default=50368, ge=1, le=2_000_000)
    """Rows of the token embedding."""
    num_hidden_layers: int = Field(default=22, ge=1, le=256)
    """Blocks, visited in order."""
    intermediate_size: int = Field(default=1152, ge=1, le=65_536)
    """Width inside the gated feed-forward network, of the activated half and of the gate each."""
    hidden_dropout_prob: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share zeroed inside the feed-forward network while training."""
    attention_probs_dropout_prob: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of attention weights, and of what attention gives, zeroed while training."""
    embedding_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the embedding's output zeroed while training."""
    classifier_dropout: float | None = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of a classifier's input zeroed while training; None means `hidden_dropout_prob`."""
    max_position_embeddings: int = Field(default=8192, ge=1, le=131_072)
    """Longest sequence that the model is meant for; no weight depends on it."""
    initializer_cutoff_factor: float = Field(default=2.0, gt=0.0, le=100.0)
    """Standard deviations at which the initial weights are cut."""
    layer_norm_eps: float = Field(default=1e-5, gt=0.0, le=1e-2)
    """Added to the variance in layer normalisation."""
    pad_token_id: int = Field(default=50283, ge=0)
    """Id of the padding token, kept for other tools; nothing here pads."""
    cls_token_id: int | None = Field(default=None, ge=0)
    """Id of the first token, kept for other tools as the next three are; None where nobody said it,
    as for a vocabulary of its own."""
    sep_token_id: int | None = Field(default=None, ge=0)
    """Id of the separator."""
    bos_token_id: int | None = Field(default=None, ge=0)
    """Id of the token that begins a text."""
    eos_token_id: int | None = Field(default=None, ge=0)
    """Id of the token that ends one."""
    norm_bias: bool = False
    """Whether norms have a bias."""
    attention_bias: bool = False
    """Whether the projections of attention have one."""
    mlp_bias: bool = False
    """Whether those of the feed-forward network have one."""
    classifier_bias: bool = False
    """Whether the layer before a head's scores has one."""
    decoder_bias: bool = True
    """Whether the scores over the vocabulary have one."""
    classifier_activation: Activation = "gelu"
    """Activation of the layer before a head's scores."""
    classifier_pooling: Literal["cls", "mean"] = "cls"
    """What a folder without a task says to other tools of what classifiers of sequences read; here
    the task says it."""
    local_attention: int = Field(default=128, ge=1, le=131_072)
    """Window of sliding attention in tokens: half of it is seen to either side."""
    global_attn_every_n_layers: int = Field(default=3, ge=1, le=256)
    """Of so many layers the first attends to everything, the others within the window."""
    layer_types: tuple[LayerType, ...] | None = None
    """The kind of each layer, where `global_attn_every_n_layers` does not say it."""
    global_rope_theta: float = Field(default=160_000.0, gt=1.0, le=1e12)
    """Base of the rotary angles where attention is full."""
    local_rope_theta: float = Field(default=10_000.0, gt=1.0, le=1e12)
    """The same where it is sliding."""

    @classmethod
    def preset(cls, name: Preset) -> dict[str, int]:
        """Layers and widths by name; the gate makes one and a half widths as many weights as
        BERT's four are, but for a quarter."""
        sizes = super().preset(name)
        return {**sizes, "intermediate_size": round(1.5 * sizes["hidden_size"] / 64) * 64}

    @property
    def kinds(self) -> tuple[LayerType, ...]:
        """The kind of each layer."""
        if self.layer_types is not None:
            return self.layer_types
        return _pattern(self.num_hidden_layers, self.global_attn_every_n_layers)

    @property
    def half_window(self) -> int:
        """Tokens that sliding attention sees to either side."""
        return self.local_attention // 2

    @property
    def token_head_dropout(self) -> float:
        """The same for every head."""
        return self.head_dropout

    @property
    def span_head_dropout(self) -> float:
        """The same for every head."""
        return self.head_dropout

    @property
    def classifier_deviation(self) -> float:
        """transformers, `modeling_modernbert.py`, `_init_weights`."""
        return float(self.hidden_size**-0.5)

    @property
    def can_begin_at_neighbours(self) -> bool:
        """Positions are no vectors here."""
        return False

    def with_dropout(self, rate: float) -> Self:
        """The same with another share zeroed everywhere but before a classifier."""
        return super().with_dropout(rate).model_copy(update={"embedding_dropout": rate})

    @field_validator("layer_types", mode="before")
    @classmethod
    def _as_tuple(cls, given: Any) -> Any:
        return tuple(given) if isinstance(given, list) else given

    @model_validator(mode="before")
    @classmethod
    def _shortest_spelling(cls, given: Any) -> Any:
        """A list that a number says as well becomes that number, so that equal models are equal."""
        if not isinstance(given, dict) or not isinstance(given.get("layer_types"), list | tuple):
            return given
        listed = tuple(given["layer_types"])
        usual = cls.model_fields["global_attn_every_n_layers"].default
        number = given.get("num_hidden_layers", cls.model_fields["num_hidden_layers"].default)
        if number != len(listed):
            return given
        for every in (usual, *range(1, len(listed) + 1)):
            if listed == _pattern(len(listed), every):
                return {**given, "layer_types": None, "global_attn_every_n_layers": every}
        return given

    @model_validator(mode="after")
    def _every_layer_has_a_kind(self) -> Self:
        if len(self.kinds) != self.num_hidden_layers:
            raise ValueError(
                f"layer_types lists {len(self.kinds)} layers, but num_hidden_layers is "
                f"{self.num_hidden_layers}"
            )
        width = self.hidden_size // self.num_attention_heads
        if width % 2:
            raise ValueError(
                f"each of {self.num_attention_heads} heads is {width} wide, but rotary positions "
                "turn pairs of numbers: choose sizes with an even width"
            )
        return self


def _pattern(num_layers: int, every: int) -> tuple[LayerType, ...]:
    return tuple(
        "sliding_attention" if layer % every else "full_attention" for layer in range(num_layers)
    )
