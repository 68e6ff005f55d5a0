"""Settings of the infer room; imports no tensors, so that a command line can read them fast."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Precision = Literal["fp32", "bf16", "auto"]
"""How a model computes its answers; auto takes bf16 where the device multiplies it."""


class AnsweringConfig(BaseModel):
    """How a model is run."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    precision: Precision = "fp32"
    """How answers are computed: fp32, or in about half the time and memory bf16, which moves
    scores in the third digit; auto takes bf16 where the device multiplies it."""


class EncodingConfig(BaseModel):
    """How texts become vectors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    prompt: str | None = None
    """What is set before each text."""
    prompt_name: str | None = None
    """The same by its name among the model's own prompts, such as `query`."""
    batch_size: int = Field(default=32, ge=1)
    """Texts of 128 tokens, or as many tokens in more or fewer texts, computed at once."""
    pooling: str | None = None
    """What is made of the tokens' states: cls, max, mean, mean_sqrt_len_tokens, weightedmean or
    lasttoken; without it what the model was trained for."""


class FillConfig(BaseModel):
    """What is asked of each mask."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    top_k: int = Field(default=5, ge=1)
    """Predictions for each mask, best first; at most the vocabulary's size."""
    candidates: tuple[str, ...] | None = None
    """The only words that may be predicted, each one token; without it the whole
    vocabulary."""


class ZeroShotConfig(BaseModel):
    """How texts are given labels that the model was not trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    hypothesis_template: str = "This example is {}."
    """The sentence that the model judges, with each label in turn in place of {}; as in
    transformers' pipeline."""
    multi_label: bool = False
    """Any number of the labels may be true, and each is judged by itself; without it exactly one,
    and the scores add up to 1."""
    entailment: str | None = None
    """The model's own label for a sentence that follows from the text; without it the one named
    entailment."""
