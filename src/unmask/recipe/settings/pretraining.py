"""The settings of a pretraining run; imports no tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from unmask.data.config import MaskingConfig
from unmask.errors import UsageError
from unmask.models.config import CONFIGS, EncoderConfig, FamilyName, Preset, family_name
from unmask.train.config import OptimConfig, PretrainingConfig

InitialAttention = Literal["random", "neighbours"]
ObjectiveName = Literal["mlm", "replaced-token", "left-to-right"]


class PretrainChoices(BaseModel):
    """The settings of a pretraining run that stand in no table; each is also a flag."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    family: FamilyName = "bert"
    """Which kind of encoder is built."""
    preset: Preset = "mini"
    """Layers and widths of the encoder."""
    dropout: float | None = Field(default=None, ge=0.0, lt=1.0)
    """Share zeroed of block outputs and attention weights while training; without it as the family
    was published (ALBERT 0, others 0.1), or as a model has it that is gone on with."""
    initial_attention: InitialAttention = "random"
    """First weights of positions and attention: random as in the paper, or such that heads begin
    by looking at the tokens to the left and right (docs/decisions/0006)."""
    objective: ObjectiveName = "mlm"
    """Masked language modelling; replaced token detection, whose discriminator is the model
    (families electra, which has BERT's encoder, deberta and deberta-v2); or, as a control, the next
    token (family left-to-right)."""
    next_sentence: bool = False
    """Trains next sentence prediction jointly (Devlin et al. 2019, section 3.1)."""
    sentence_order: bool = False
    """Trains sentence order prediction jointly (Lan et al. 2020, section 3.1)."""
    validation: Path | None = None
    """A corpus to measure on; without it documents of the training corpus are held out."""
    validation_rate: float = Field(default=0.02, gt=0.0, lt=1.0)
    """Share of the corpus' documents held out where `validation` is not set; at least one."""


class GeneratorConfig(BaseModel):
    """The generator of replaced token detection: a masked language model that is trained along."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    embeddings: Literal["gradient-disentangled", "shared", "separate"] = "gradient-disentangled"
    """Whether the discriminator's token vectors are the generator's, are those without pulling at
    them plus differences of its own (He et al. 2021, arXiv 2111.09543), or its own."""
    model: dict[str, Any] = {}
    """Fields of the generator that differ from the discriminator's; without any it has half the
    layers, as DeBERTa-v3's has. The width of the token vectors must be the same unless they are
    separate."""


class Pretrain(PretrainChoices):
    """A pretraining run: what is built, what it learns from, and for how long."""

    model: dict[str, Any] = {}
    """Fields of the model that differ from the preset, in Hugging Face's spelling."""
    generator: GeneratorConfig = GeneratorConfig()
    """What proposes tokens for replaced token detection."""
    masking: MaskingConfig = MaskingConfig()
    """Which positions are predicted."""
    train: PretrainingConfig = PretrainingConfig()
    """How long, how much at once, how often to look up."""
    optim: OptimConfig = OptimConfig()
    """How a gradient becomes a step."""

    @model_validator(mode="after")
    def _model_can_be_built(self) -> Self:
        try:
            config = self.encoder(vocab_size=1)
        except ValidationError as error:
            raise ValidationError.from_exception_data(
                error.title,
                [
                    InitErrorDetails(
                        type=fault["type"],
                        loc=("model", *fault["loc"]),
                        input=fault["input"],
                        ctx=fault.get("ctx", {}),
                    )
                    for fault in error.errors()
                ],
            ) from error
        if "max_position_embeddings" in self.model:  # else the run knows, which may have a model
            self.require_positions(config)
        self._objective_fits(config)
        return self

    def require_positions(self, config: EncoderConfig) -> None:
        """Refuses sequences that are longer than a model of these numbers reads.

        Raises:
            UsageError: They are.
        """
        longest = self.train.sequence_length
        if longest > config.max_length:
            unread = config.max_position_embeddings - config.max_length
            raise UsageError(
                f"train.sequence_length is {longest}, but the model has only "
                f"{config.max_length} positions: set max_position_embeddings to {longest + unread} "
                "in the table [model] of a recipe, or a shorter --train.sequence-length"
            )

    def _objective_fits(self, config: EncoderConfig) -> None:
        asked = [name for name in ("next_sentence", "sentence_order") if getattr(self, name)]
        if len(asked) > 1:
            raise ValueError("next_sentence and sentence_order are two questions: ask one")
        if asked and self.objective != "mlm":
            raise ValueError(f"{asked[0]} goes with objective mlm, not with {self.objective}")
        if asked and not config.judges_pairs:
            raise ValueError(_without_pairs(asked[0], config))
        if (self.objective == "left-to-right") != config.is_control:
            raise ValueError(
                f"objective {self.objective} does not go with family {self.family}: objective "
                "left-to-right and family left-to-right belong together"
            )
        if self.objective == "replaced-token" and not config.detects_replaced:
            able = ", ".join(name for name, kind in CONFIGS.items() if kind.detects_replaced)
            raise ValueError(
                f"objective replaced-token does not go with family {self.family}, which has no "
                f"head for it; these have one: {able}; it begins afresh, without --model"
            )
        if self.objective != "replaced-token" and "generator" in self.model_fields_set:
            raise ValueError("generator is for objective replaced-token, and without effect here")
        if self.objective == "left-to-right" and "masking" in self.model_fields_set:
            raise ValueError("masking is without effect for left-to-right: nothing is masked")
        if self.objective == "replaced-token":
            self.generator_config(config)

    def generator_config(self, config: EncoderConfig) -> EncoderConfig:
        """The generator's numbers beside a discriminator of these."""
        own = self.generator.model or {"num_hidden_layers": -(-config.num_hidden_layers // 2)}
        made = type(config).model_validate({**config.model_dump(), **own})
        widths = [one.embedding_width for one in (config, made)]
        if widths[0] != widths[1] and self.generator.embeddings != "separate":
            raise ValueError(
                f"generator: its token vectors are {widths[1]} wide, the discriminator's "
                f"{widths[0]}; set generator.embeddings separate, or give both one embedding_size"
            )
        return made

    @model_validator(mode="after")
    def _heads_can_be_aimed(self) -> Self:
        config = self.encoder(vocab_size=1)
        if self.initial_attention != "random" and not config.can_begin_at_neighbours:
            raise ValueError(
                f"initial_attention {self.initial_attention}: family {self.family} adds no vector "
                "for each position, so that no head can be aimed by them; take random, or family "
                "bert"
            )
        return self

    def encoder(self, vocab_size: int, pad_token_id: int | None = None) -> EncoderConfig:
        """The model's numbers for a vocabulary of this size, whose padding is the family's usual
        one where it is not said.

        Where positions are counted from the padding's id, a larger one makes the table of
        positions longer, so that as many tokens are read as usual.
        """
        kind = CONFIGS[self.family]
        usual: EncoderConfig = kind(**kind.preset(self.preset), vocab_size=vocab_size)
        if self.dropout is not None:
            usual = usual.with_dropout(self.dropout)
        fields = usual.model_dump()
        if pad_token_id is not None:
            fields["pad_token_id"] = pad_token_id
            if usual.max_length < usual.max_position_embeddings:
                rows = max(usual.max_position_embeddings, usual.max_length + pad_token_id + 1)
                fields["max_position_embeddings"] = rows
        return kind.model_validate({**fields, **self.model})


def _without_pairs(asked: str, config: EncoderConfig) -> str:
    """Why a model of these numbers judges no pairs of segments, and what to do."""
    family = family_name(config)
    if family in families_for_pairs():
        return (
            f"{asked} needs two segments, but the model has {config.num_segments}: set "
            "model.type_vocab_size to 2"
        )
    return (
        f"{asked}: family {family} has no head for pairs of segments; leave it out, or take a "
        f"family that has one: {', '.join(families_for_pairs())}"
    )


def families_for_pairs() -> list[str]:
    """The families that have a head for pairs of segments."""
    usual = {name: kind() for name, kind in CONFIGS.items()}
    return [name for name, one in usual.items() if one.judges_pairs and not one.is_control]
