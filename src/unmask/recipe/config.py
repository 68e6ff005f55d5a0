"""The settings of whole runs; imports no tensors, so that a command line can read them fast."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails

from unmask.data.config import MaskingConfig
from unmask.data.labelled.config import LabelledConfig
from unmask.models.config import CONFIGS, EncoderConfig, FamilyName, Preset
from unmask.tasks.config import TASK_CONFIGS, WindowConfig
from unmask.train.config import (
    FinetuningConfig,
    FinetuningOptimConfig,
    OptimConfig,
    PretrainingConfig,
)

InitialAttention = Literal["random", "neighbours"]


class PretrainChoices(BaseModel):
    """The settings of a pretraining run that stand in no table; each is also a flag."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    family: FamilyName = "bert"
    """Which kind of encoder is built."""
    preset: Preset = "mini"
    """Layers and widths of the encoder."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share zeroed of block outputs and attention weights while training; a model that is gone on
    with keeps its own, unless this is set."""
    initial_attention: InitialAttention = "random"
    """First weights of positions and attention: random as in the paper, or such that heads begin
    by looking at the tokens to the left and right (docs/decisions/0006)."""
    next_sentence: bool = False
    """Trains next sentence prediction jointly (Devlin et al. 2019, section 3.1)."""
    validation: Path | None = None
    """A corpus to measure on; without it documents of the training corpus are held out."""
    validation_rate: float = Field(default=0.02, gt=0.0, lt=1.0)
    """Share of the corpus' documents held out where `validation` is not set; at least one."""


class Pretrain(PretrainChoices):
    """A pretraining run: what is built, what it learns from, and for how long."""

    model: dict[str, Any] = {}
    """Fields of the model that differ from the preset, in Hugging Face's spelling."""
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
        longest = self.train.sequence_length
        if longest > config.max_length:
            raise ValueError(
                f"train.sequence_length is {longest}, but the model has only "
                f"{config.max_length} positions: set model.max_position_embeddings"
            )
        if self.initial_attention == "neighbours" and not config.can_begin_at_neighbours:
            raise ValueError(
                f"initial_attention neighbours aims by vectors of positions that are added to the "
                f"tokens', which {self.family} does without: leave it out"
            )
        if self.next_sentence and config.num_segments < 2:
            raise ValueError(
                f"next_sentence needs two segments, but the model has {config.num_segments}: set "
                "model.type_vocab_size to 2, or take a family that has segments, such as bert"
            )
        return self

    def encoder(self, vocab_size: int, pad_token_id: int = 0) -> EncoderConfig:
        """The model's numbers for a vocabulary of this size."""
        kind = CONFIGS[self.family]
        usual = kind(
            **kind.preset(self.preset), vocab_size=vocab_size, pad_token_id=pad_token_id
        ).with_dropout(self.dropout)
        return kind.model_validate({**usual.model_dump(), **self.model})


class Adaptation(BaseModel):
    """How pretraining is gone on with before a task is learned (`--adapt TEXT`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    epochs: float = Field(default=3.0, gt=0.0)
    """Passes over the text."""
    batch_size: int = Field(default=32, ge=1)
    """Sequences per optimizer step."""
    learning_rate: float = Field(default=1e-4, gt=0.0)
    """Peak rate of AdamW (Gururangan et al. 2020, arXiv 2004.10964, appendix)."""


class TrialChoices(BaseModel):
    """The settings of any fine-tuning run that stand in no table; each is also a flag."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    validation_rate: float = Field(default=0.1, gt=0.0, lt=1.0)
    """Share of the training examples held out where no validation file is given: stratified by
    label, a group never on both sides."""
    max_examples: int | None = Field(default=None, ge=1)
    """Most training examples taken, drawn by a shuffle that is the same in every run; without it
    all of them."""
    metric: str | None = None
    """The score by which the best weights are chosen, higher being better; without it the task's
    own."""
    freeze: str | None = None
    """Keeps weights as they are: `encoder`, `embeddings`, or the N lowest blocks with them."""
    reinitialise: int = Field(default=0, ge=0)
    """Number of top blocks that begin with fresh weights (Zhang et al. 2021, arXiv 2006.05987)."""
    dropout: float | None = Field(default=None, ge=0.0, lt=1.0)
    """Share of activations zeroed while training; without it as in the model's pretraining."""


class FinetuneChoices(TrialChoices):
    """The same and what only a fine-tuning run has, not the trials of a search."""

    seeds: int = Field(default=1, ge=1, le=100)
    """Number of runs, with the seeds `train.seed`, `train.seed` + 1, ...; their mean and spread are
    told, and the best on validation is published."""
    baselines: bool = True
    """Also scores what is reached without fine-tuning, by TF-IDF with logistic regression and by a
    linear probe of the frozen encoder."""
    pictures: bool = True
    """Draws the learning curves, the confusion matrix and how far probabilities can be trusted."""


class Finetune(FinetuneChoices):
    """A fine-tuning run: for which task, from which examples, and for how long."""

    task: Literal["classification", "multiple-choice", "tagging", "qa"]
    """What is learned."""
    settings: SerializeAsAny[WindowConfig]
    """The task's own settings."""
    data: LabelledConfig = LabelledConfig()
    """How files become examples."""
    adaptation: Adaptation = Adaptation()
    """How pretraining is gone on with first, where a text of the task's domain is given."""
    train: FinetuningConfig = FinetuningConfig()
    """How long, how much at once, how often to look up."""
    optim: FinetuningOptimConfig = FinetuningOptimConfig()
    """How a gradient becomes a step."""

    @model_validator(mode="before")
    @classmethod
    def _settings_of_the_task(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("task") not in TASK_CONFIGS:
            return given
        settings = given.get("settings") or {}
        if isinstance(settings, dict):
            settings = TASK_CONFIGS[given["task"]].model_validate(settings)
        return {**given, "settings": settings}

    @model_validator(mode="after")
    def _can_be_trained(self) -> Self:
        if self.optim.name == "muon" and self.optim.layer_decay != 1.0:
            raise ValueError("optim.layer_decay works with optim.name adamw only")
        if self.freeze == "encoder" and self.reinitialise:
            raise ValueError(
                "freeze encoder and reinitialise: fresh blocks would never be trained, drop either"
            )
        return self


class Evaluate(BaseModel):
    """How a model is measured on text that it was not trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    sequence_length: int | None = Field(default=None, ge=8)
    """Tokens of a full sequence, specials included; without it as many as the model was trained
    with, or 128 where that is not known."""
    num_sequences: int | None = Field(default=None, ge=1)
    """Most sequences measured, drawn from all over the text; without it all."""
