"""Settings of the fine-tuning tasks; imports no tensors, so that a command line reads them fast."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from unmask.tasks.embedding_config import EmbeddingConfig
from unmask.tasks.length_config import LengthConfig, WindowConfig
from unmask.tasks.reranking_config import RerankingConfig

_ONLY_FOR = {
    "class_weights": ("single", "multi"),
    "focal_gamma": ("single",),
    "label_smoothing": ("single",),
}
"""Settings of the loss, by the kinds of labels that they are for."""


class ClassificationConfig(WindowConfig):
    """Classification of a text or of a pair of texts; also regression (STS-B).

    The scores of a long text's windows are averaged before the softmax.
    """

    kind: Literal["single", "multi", "regression"] = "single"
    """One label of several, any number of labels, or a number."""
    pooling: Literal["cls", "mean"] = "cls"
    """What the classifier reads: the pooled `[CLS]` as in Devlin et al. 2019, or the mean of all
    tokens' hidden states."""
    class_weights: Literal["none", "balanced"] = "none"
    """Weights of the classes in the loss: all equal, or inverse to their frequency in training."""
    focal_gamma: float = Field(default=0.0, ge=0.0, le=10.0)
    """Focal loss (Lin et al. 2017, arXiv 1708.02002): easy examples count (1 - p)^gamma; 0 is
    off."""
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the target spread evenly over all labels (Szegedy et al. 2016)."""
    calibrate: bool = True
    """Fits a temperature on the validation data, and for several labels a threshold each."""

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> Self:
        for name, kinds in _ONLY_FOR.items():
            if (
                self.kind not in kinds
                and getattr(self, name) != type(self).model_fields[name].default
            ):
                raise ValueError(f"{name} has no effect with kind {self.kind}: leave it out")
        return self


class MultipleChoiceConfig(WindowConfig):
    """One score for each choice, the best of which is the answer (SWAG in Devlin et al. 2019).

    The scores of a long text's windows, in each of which the choices are whole, are averaged.
    """

    calibrate: bool = True
    """Fits a temperature on the validation data."""
    pooling: Literal["cls", "mean"] = "cls"
    """What gives a score: the pooled `[CLS]`, or the mean of all tokens' hidden states."""


class TaggingConfig(WindowConfig):
    """A tag for every word: named entities, parts of speech.

    In a long text each word is judged in the window where it has most context on both sides.
    """

    scheme: Literal["auto", "iob1", "iob2", "bioes", "plain"] = "auto"
    """How spans of words are written as tags; plain takes any tag as it is, auto finds out from the
    training data."""
    subwords: Literal["first", "all"] = "first"
    """Which pieces of a word are labelled in training: the first (Devlin et al. 2019, section 5.3),
    or all, `I-X` after `B-X`."""
    decoding: Literal["argmax", "repair", "viterbi"] = "argmax"
    """The best tag of each word, the same made legal afterwards, or the best legal sequence."""
    aggregation: Literal["none", "simple", "first", "average", "max"] = "simple"
    """How pieces make words and words groups, as in transformers' pipelines. A word's tag is its
    first piece's, or for average and max rests on all its pieces; so simple, which groups pieces
    there, is first here. none: no groups."""


class QuestionAnsweringConfig(WindowConfig):
    """The span of the context that answers a question (SQuAD), found in overlapping windows."""

    max_length: int | None = Field(default=384, ge=32)
    """Most tokens of a window, specials included (google-research/bert, `run_squad.py`)."""
    stride: int = Field(default=128, ge=0)
    """Tokens that two neighbouring windows of a context share, at most half of what a window holds
    of it."""
    max_question_length: int = Field(default=64, ge=1)
    """Tokens of a question, at most half of a window; what is longer is cut, with a warning
    (`run_squad.py`)."""
    max_answer_length: int = Field(default=30, ge=1)
    """Most tokens of an answer (`run_squad.py`)."""
    n_best: int = Field(default=20, ge=1)
    """Candidates kept of each question, over all its windows."""
    unanswerable: bool | None = None
    """Whether a question may have no answer (SQuAD 2.0), scored by the span `[CLS]`..`[CLS]`;
    without it, whether the training data has such questions."""
    no_answer_threshold: float = 0.0
    """No answer is given where its score exceeds the best span's by more than this, in logits;
    tuned on the validation data."""


TaskName = Literal["classification", "multiple-choice", "tagging", "qa", "embedding", "reranking"]
TASK_CONFIGS: dict[str, type[LengthConfig]] = {
    "classification": ClassificationConfig,
    "multiple-choice": MultipleChoiceConfig,
    "tagging": TaggingConfig,
    "qa": QuestionAnsweringConfig,
    "embedding": EmbeddingConfig,
    "reranking": RerankingConfig,
}
"""The settings of each task that can be fine-tuned, by its name."""
