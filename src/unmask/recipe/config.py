"""The settings of whole runs; imports no tensors, so that a command line can read them fast."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from unmask.recipe.settings.finetuning import Adaptation as Adaptation
from unmask.recipe.settings.finetuning import Finetune as Finetune
from unmask.recipe.settings.finetuning import FinetuneChoices as FinetuneChoices
from unmask.recipe.settings.finetuning import TrialChoices as TrialChoices
from unmask.recipe.settings.pretraining import GeneratorConfig as GeneratorConfig
from unmask.recipe.settings.pretraining import InitialAttention as InitialAttention
from unmask.recipe.settings.pretraining import Pretrain as Pretrain
from unmask.recipe.settings.pretraining import PretrainChoices as PretrainChoices


class Evaluate(BaseModel):
    """How a model is measured on text that it was not trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    sequence_length: int | None = Field(default=None, ge=8)
    """Tokens of a full sequence, specials included; without it as many as the model was trained
    with, or 128 where that is not known."""
    num_sequences: int | None = Field(default=None, ge=1)
    """Most sequences measured, drawn from all over the text; without it all."""


class EvaluateRetrieval(BaseModel):
    """How a sentence encoder is measured on a test collection."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    split: str = "test"
    """Whose judgements: the name of a file under `qrels`."""
    top_k: int = Field(default=1000, ge=1)
    """Documents retrieved for each query; measures that look at all stop there (trec_eval's usual
    1,000)."""
    graded: bool = False
    """Judgements of Cranfield from 4 to 0, not 1 and 0."""
    drop_identical: bool = False
    """Leaves out documents with their query's own id, as BEIR does for ArguAna and Quora."""
    run: Path | None = None
    """A file to write what was retrieved to, as TREC runs are."""
    from_run: Path | None = None
    """A TREC run to measure instead, which some other search wrote; no model is needed then."""
    max_reject_rate: float = Field(default=0.001, ge=0.0, le=1.0)
    """It stops if more than this share of the records cannot be read; up to 9 never stop it."""

    @model_validator(mode="after")
    def _one_run(self) -> Self:
        idle = {"top_k", "run"} & self.model_fields_set
        if self.from_run is not None and idle:
            raise ValueError(f"from_run: nothing is retrieved: drop {' and '.join(sorted(idle))}")
        return self


class EvaluateSentences(BaseModel):
    """How a sentence encoder is measured on a file, where the file alone does not say it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    bitext: bool = False
    """Pairs without labels are sentences and their translations: how often each finds the other
    among all, in both directions. Without it the second is an answer to the first."""
    sampled: bool = False
    """Texts with classes are clustered in ten samples, whose mean counts, as in MTEB's newer tasks;
    without it all at once."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of the clusters of texts with classes, which begin at random."""


class Extend(BaseModel):
    """How a pretrained model's vocabulary is made to fit a domain's text."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    num_words: int = Field(default=1000, ge=1, le=1_000_000)
    """Most words that get a token of their own: the most frequent that cost several."""
    min_frequency: int = Field(default=5, ge=1)
    """Occurrences in the text below which a word is not added."""
    retrain: bool = False
    """Learns a whole new vocabulary of the model's kind instead of adding words."""
    vocab_size: int | None = Field(default=None, ge=6, le=2**24)
    """Entries of the new vocabulary, with `retrain`; without it as many as before."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.retrain and {"num_words", "min_frequency"} & self.model_fields_set:
            raise ValueError("retrain learns pieces, not words: drop num_words and min_frequency")
        if self.vocab_size is not None and not self.retrain:
            raise ValueError("vocab_size is for a new vocabulary: set retrain too, or drop it")
        return self
