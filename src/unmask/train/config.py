"""Settings of the training room; imports no tensors, so that a command line can read them fast."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TrainConfig(BaseModel):
    """How long, how much at once, and how often to look up."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    steps: int | None = Field(default=None, ge=1)
    """Budget in optimizer steps; give this or `minutes`. Neither means 10,000 steps."""
    minutes: float | None = Field(default=None, gt=0.0)
    """Budget in minutes of wall-clock training; the schedule follows it."""
    batch_size: int = Field(default=32, ge=1)
    """Sequences per optimizer step, over all micro-batches and processes."""
    micro_batch_tokens: int = Field(default=2048, ge=1)
    """Most tokens of one forward and backward. It changes memory, and the gradient only where
    dropout draws other masks for it."""
    initial_batch_size: int | None = Field(default=None, ge=1)
    """Sequences per step at the start; grows linearly to `batch_size`. Not of sentence embeddings,
    whose batches are put together before."""
    batch_warmup_rate: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the budget in which the batch grows."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Decides initial weights, data order, masks and dropout."""
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    """Arithmetic of the forward pass; auto takes bf16 where the device multiplies it. Weights and
    optimizer stay in fp32."""
    compile: bool = False
    """Compiles the blocks by torch.compile; needs a C++ compiler."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a GPU if there is one."""
    log_every: int = Field(default=10, ge=1)
    """Optimizer steps between two lines of the log."""
    evaluate_every: int = Field(default=200, ge=1)
    """Optimizer steps between two evaluations on held-out text."""
    save_every: int = Field(default=200, ge=1)
    """Optimizer steps between two checkpoints: the most that a kill can lose."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """Checkpoints kept; older ones are deleted once a newer one is on disk."""
    tensorboard: bool = False
    """Also writes TensorBoard event files (extra `tensorboard`)."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.steps is not None and self.minutes is not None:
            raise ValueError("steps and minutes are both set: expected one budget, drop either")
        if (self.initial_batch_size or 0) > self.batch_size:
            raise ValueError("initial_batch_size is larger than batch_size")
        if (self.initial_batch_size is None) != (self.batch_warmup_rate == 0.0):
            raise ValueError(
                "initial_batch_size and batch_warmup_rate go together: set both or neither"
            )
        return self


class PretrainingConfig(TrainConfig):
    """The same for pretraining: how long its sequences are."""

    sequence_length: int = Field(default=128, ge=8)
    """Tokens of a full sequence, specials included."""
    initial_sequence_length: int | None = Field(default=None, ge=8)
    """Length in the first `sequence_warmup_rate` of the budget; BERT trained 90 % of its steps at
    128 and the rest at 512 (Devlin et al. 2019, appendix A.2)."""
    sequence_warmup_rate: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the budget spent at `initial_sequence_length`."""
    validation_sequences: int = Field(default=512, ge=1)
    """Most held-out sequences in one evaluation, always the same ones under the same masks."""

    @model_validator(mode="after")
    def _lengths_fit(self) -> Self:
        if (self.initial_sequence_length is None) != (self.sequence_warmup_rate == 0.0):
            raise ValueError(
                "initial_sequence_length and sequence_warmup_rate go together: set both or neither"
            )
        if (self.initial_sequence_length or 0) > self.sequence_length:
            raise ValueError("initial_sequence_length is larger than sequence_length")
        return self


class FinetuningConfig(TrainConfig):
    """The same for fine-tuning: how often the examples are gone through.

    Devlin et al. 2019, appendix A.3: 2 to 4 epochs, batches of 16 or 32.
    """

    batch_size: int = Field(default=16, ge=1)
    """Sequences per optimizer step, or groups of them such as a pair's texts, over all
    micro-batches and processes; of 16 and 32, 16 was the better on a thousand labels
    (docs/log.md)."""
    steps: int | None = Field(default=None, ge=1)
    """Budget in optimizer steps, instead of `epochs` or `minutes`."""
    evaluate_every: int = Field(default=200, ge=1)
    """Optimizer steps between two evaluations on the validation examples; without it
    `evaluations_per_epoch` decides."""
    save_every: int = Field(default=200, ge=1)
    """Optimizer steps between two checkpoints: the most that a kill can lose; without it those of
    an epoch, and 200 at most."""
    keep_finished: bool = False
    """Keeps checkpoints and best weights when the model is there, too. They serve resuming alone,
    and take several times the model's room."""
    micro_batch_tokens: int = Field(default=2048, ge=1)
    """Most tokens of one forward and backward; for sentence embeddings, without it, as many as take
    about 4 GB, because more of them are computed twice (GradCache). It changes memory, and the
    gradient only where dropout draws other masks for it."""
    epochs: float = Field(default=3.0, gt=0.0)
    """Budget in passes over the training examples, unless `steps` or `minutes` is set."""
    evaluations_per_epoch: float = Field(default=1.0, gt=0.0)
    """How often the validation examples are looked at, unless `evaluate_every` is set."""
    patience: int | None = Field(default=None, ge=1)
    """Evaluations without a better score after which training ends; without it, never early."""


class OptimConfig(BaseModel):
    """How a gradient becomes a step."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Literal["adamw", "muon"] = "adamw"
    """AdamW for all parameters, or Muon for the blocks' matrices and AdamW for the rest."""
    learning_rate: float = Field(default=5e-4, gt=0.0)
    """Peak rate of AdamW; 1e-4 in the paper for base at batch 256, higher for small models."""
    muon_learning_rate: float = Field(default=5e-3, gt=0.0)
    """Peak rate of Muon, whose updates have a root mean square of 0.2 times the rate an entry."""
    beta1: float = Field(default=0.9, ge=0.0, lt=1.0)
    """Decay of AdamW's mean gradient, per optimizer step."""
    beta2: float = Field(default=0.999, ge=0.0, lt=1.0)
    """Decay of AdamW's mean squared gradient, per optimizer step."""
    epsilon: float = Field(default=1e-6, gt=0.0)
    """Added to AdamW's denominator (google-research/bert, `optimization.py`)."""
    muon_momentum: float = Field(default=0.95, ge=0.0, lt=1.0)
    """Decay of Muon's momentum, per optimizer step."""
    muon_iterations: int = Field(default=5, ge=1, le=20)
    """Newton-Schulz iterations of each Muon step."""
    weight_decay: float = Field(default=0.01, ge=0.0)
    """Decoupled decay of matrices and embeddings, times the rate; none of biases and norms."""
    clip_norm: float = Field(default=1.0, gt=0.0)
    """Largest gradient norm over all parameters; larger ones are scaled down."""
    schedule: Literal["linear", "cosine", "wsd"] = "linear"
    """After the warm-up: linear to zero (the paper), a half cosine, or constant and then linear
    to zero over the last `decay_rate` (warm-up, stable, decay)."""
    warmup_rate: float = Field(default=0.01, ge=0.0, lt=1.0)
    """Share of the budget in which the learning rate grows linearly from zero (paper: 0.01)."""
    decay_rate: float = Field(default=0.2, gt=0.0, le=1.0)
    """Share of the budget in which `wsd` comes down."""


class FinetuningOptimConfig(OptimConfig):
    """The same for fine-tuning, with Devlin et al. 2019's values where they name some."""

    learning_rate: float = Field(default=5e-5, gt=0.0)
    """Peak rate of AdamW. The paper chose among 2e-5 to 5e-5 for base and large; where it is not
    set, models below 8 layers or 512 wide take 1e-4, and those of 4 layers or 256 wide at most 3e-4
    (the upper end of what Turc et al. 2019, arXiv 1908.08962, tried)."""
    warmup_rate: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of the budget in which the rate grows from zero (google-research/bert,
    `run_classifier.py`)."""
    layer_decay: float = Field(default=1.0, gt=0.0, le=1.0)
    """What the rate of each block is multiplied by, per block below the top one, and once more for
    the embeddings (Howard and Ruder 2018; ELECTRA used 0.8); 1 is one rate for all."""
