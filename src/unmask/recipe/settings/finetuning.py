"""The settings of a fine-tuning run; imports no tensors."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, model_validator

from unmask.data.labelled.config import LabelledConfig
from unmask.tasks.config import TASK_CONFIGS, TaskName
from unmask.tasks.length_config import LengthConfig
from unmask.train.config import FinetuningConfig, FinetuningOptimConfig


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
    label, a group never on both sides, nor for embeddings an anchor's texts."""
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

    task: TaskName
    """What is learned."""
    settings: SerializeAsAny[LengthConfig]
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
