"""DeBERTa's numbers, of its first version and of the second, which the third has too."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from unmask.models.sizes.encoder import EncoderConfig

PositionTerm = Literal["c2p", "p2c"]
ActivationOrTanh = Literal["gelu", "gelu_new", "relu", "tanh"]


class DebertaConfig(EncoderConfig):
    """The defaults are DeBERTa-base; a masked language model trains with the enhanced mask decoder.

    `enhanced_mask_decoder` off leaves it out, which is what transformers computes of such a model.
    """

    detects_replaced: ClassVar[bool] = True

    vocab_size: int = Field(default=50265, ge=1, le=2_000_000)
    """Rows of the token embedding."""
    layer_norm_eps: float = Field(default=1e-7, gt=0.0, le=1e-2)
    """Added to the variance in layer normalisation."""
    type_vocab_size: int = Field(default=0, ge=0, le=1024)
    """Rows of the segment embedding; 0 for none."""
    embedding_size: int | None = Field(default=None, ge=1, le=16_384)
    """Width of the token embedding, projected where it differs; None means `hidden_size`."""
    relative_attention: bool = True
    """Compares distances, not only contents."""
    pos_att_type: tuple[PositionTerm, ...] = ("p2c", "c2p")
    """Which scores distances take part in: of contents with positions (`c2p`), of positions with
    contents (`p2c`), of both, or none."""
    max_relative_positions: int = Field(default=-1, ge=-1, le=131_072)
    """Distances from this one on count as one; below 1 it means `max_position_embeddings`."""
    position_biased_input: bool = False
    """Adds vectors of absolute positions to the tokens'."""
    enhanced_mask_decoder: bool = True
    """Lets a masked language model read the last block twice, asked by absolute positions (He et
    al. 2021, section 3.3); other heads read the plain encoder. It takes `position_biased_input`
    off, and has no effect with it on."""
    legacy: bool = False
    """Which names the masked language model head is written by: those of transformers' default if
    true, else those that Microsoft published it by. Both are read."""
    pooler_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the pooler's input zeroed while training."""
    pooler_hidden_act: ActivationOrTanh = "gelu"
    """Activation of the pooler."""
    pooler_hidden_size: int | None = None
    """Width of the pooler; it can only be `hidden_size`, which None means."""

    @property
    def embedding_width(self) -> int:
        """Columns of the token embedding."""
        return self.hidden_size if self.embedding_size is None else self.embedding_size

    @property
    def max_distance(self) -> int:
        """Distances from this one on count as one."""
        longest = self.max_relative_positions
        return self.max_position_embeddings if longest < 1 else longest

    @property
    def relative_rows(self) -> int:
        """Rows of the relative table."""
        return 2 * self.max_distance

    @property
    def reads_positions_late(self) -> bool:
        """Whether a masked language model has the enhanced mask decoder."""
        return self.enhanced_mask_decoder and not self.position_biased_input

    @property
    def can_begin_at_neighbours(self) -> bool:
        """Distances tell heads of their neighbours already."""
        return False

    @field_validator("pos_att_type", mode="before")
    @classmethod
    def _split(cls, given: Any) -> Any:
        """Hugging Face has a list, or one string such as "p2c|c2p"."""
        if isinstance(given, str):
            given = [part.strip() for part in given.lower().split("|")]
        return tuple(given) if isinstance(given, list) else given

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(set(self.pos_att_type)) < len(self.pos_att_type):
            raise ValueError(f"pos_att_type {list(self.pos_att_type)} names a term twice")
        if self.pooler_hidden_size not in (None, self.hidden_size):
            raise ValueError(
                f"pooler_hidden_size {self.pooler_hidden_size} is not hidden_size "
                f"{self.hidden_size}, which is the only pooler that the classifiers have"
            )
        if self.reads_positions_late and self.embedding_width != self.hidden_size:
            raise ValueError(
                f"enhanced_mask_decoder adds positions of embedding_size {self.embedding_width} to "
                f"states of hidden_size {self.hidden_size}: make them equal, or set "
                "enhanced_mask_decoder to false"
            )
        return self


class DebertaV2Config(DebertaConfig):
    """The defaults are DeBERTa-v3-base; a masked language model trains with the enhanced mask
    decoder, see `enhanced_mask_decoder`."""

    vocab_size: int = Field(default=128100, ge=1, le=2_000_000)
    """Rows of the token embedding."""
    position_buckets: int = Field(default=256, ge=-1, le=131_072)
    """Buckets of distances on each side: one a distance up to half of them, then growing ones;
    below 1 every distance has its own."""
    share_att_key: bool = True
    """Projects the relative table by each block's own query and key projections."""
    norm_rel_ebd: Literal["none", "layer_norm"] = "layer_norm"
    """What the relative table goes through before it is used."""
    conv_kernel_size: int = Field(default=0, ge=0, le=255)
    """Tokens that the convolution beside the first block sees, an odd number; 0 for none."""
    conv_groups: int = Field(default=1, ge=1, le=16_384)
    """Groups of channels of the convolution; they share out `hidden_size` evenly."""
    conv_act: ActivationOrTanh = "tanh"
    """Activation of the convolution."""
    attention_head_size: int | None = None
    """Width of a head; it can only be the heads' share of `hidden_size`, which None means."""

    @property
    def relative_rows(self) -> int:
        """Two for each bucket."""
        return 2 * (self.position_buckets if self.position_buckets > 0 else self.max_distance)

    @model_validator(mode="after")
    def _has_such_parts(self) -> Self:
        half = self.position_buckets // 2
        if self.position_buckets > 0 and not 0 < half < self.max_distance - 1:
            raise ValueError(
                f"position_buckets {self.position_buckets} for distances up to "
                f"{self.max_distance} leave nothing to put together; expected 2 to "
                f"{2 * self.max_distance - 3}, or -1 for a bucket for every distance"
            )
        if self.norm_rel_ebd != "none" and not self.relative_attention:
            raise ValueError(
                f"norm_rel_ebd {self.norm_rel_ebd!r} needs relative_attention, without which there "
                "is no relative table: set it to 'none'"
            )
        if self.conv_kernel_size and self.conv_kernel_size % 2 == 0:
            raise ValueError(
                f"conv_kernel_size {self.conv_kernel_size} is even, so that no token is in its "
                "middle; expected an odd number, or 0 for no convolution"
            )
        if self.hidden_size % self.conv_groups:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of conv_groups "
                f"{self.conv_groups}"
            )
        share = self.hidden_size // self.num_attention_heads
        if self.attention_head_size not in (None, share):
            raise ValueError(
                f"attention_head_size {self.attention_head_size} is not {share}, the share of "
                f"hidden_size {self.hidden_size} of each of {self.num_attention_heads} heads"
            )
        return self
