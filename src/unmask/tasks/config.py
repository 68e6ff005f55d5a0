"""Settings of the fine-tuning tasks; imports no tensors, so that a command line reads them fast."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from unmask.tasks.embedding_losses.config import LOSS_CONFIGS
from unmask.tasks.sentence_config import PoolingMode


class LengthConfig(BaseModel):
    """How much of a text is read at once."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_length: int | None = Field(default=None, ge=8)
    """Most tokens of a sequence, specials included; without it what the model reads."""


class WindowConfig(LengthConfig):
    """How texts longer than the model reads are cut into overlapping windows."""

    max_length: int | None = Field(default=None, ge=8)
    """Most tokens of a window, specials included; without it what the model reads."""
    stride: int = Field(default=32, ge=0)
    """Tokens that two neighbouring windows of a longer text share, at most half of what a window
    holds of it."""


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


LossName = Literal[
    "auto",
    "softmax",
    "cosine-similarity",
    "contrastive",
    "online-contrastive",
    "triplet",
    "multiple-negatives-ranking",
    "simcse",
    "cosent",
    "angle",
    "margin-mse",
    "kl-divergence",
    "embedding-mse",
]


class LossChoice(BaseModel):
    """By what the vectors of one data set are trained."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    loss: LossName = "auto"
    """The loss; auto takes what fits the data: without labels the ranking of the positive among all
    texts of a batch (of single texts SimCSE), by scores CoSENT, by 0 and 1 the online contrastive
    loss, and by other classes SBERT's softmax classifier."""
    loss_settings: dict[str, Any] = {}
    """Settings of the loss that differ from its own, such as `scale` or `margin`, see
    `embedding_losses.config`."""
    weight: float = Field(default=1.0, gt=0.0)
    """Share of the batches, relative to other data sets that are mixed in; where all are equal,
    each has as many as it holds."""

    @field_validator("loss_settings", mode="before")
    @classmethod
    def _spelled_as_flags_too(cls, given: Any) -> Any:
        """`teacher-dimension` as `teacher_dimension`."""
        if not isinstance(given, dict):
            return given
        return {str(name).replace("-", "_"): value for name, value in given.items()}

    @model_validator(mode="after")
    def _settings_are_the_losss(self) -> Self:
        if self.loss == "auto" and self.loss_settings:
            raise ValueError("loss_settings are of one loss: set loss too")
        if self.loss != "auto":
            LOSS_CONFIGS[self.loss].model_validate(self.loss_settings)
        return self


class MixedSet(LossChoice):
    """A data set that is mixed in: batches of it come between those of the others."""

    path: Path
    """The file."""
    texts: tuple[int | str, ...] = ()
    """Its columns of texts, see `data.columns.texts`."""
    label: int | str | None = None
    """Its column of labels, see `data.columns.label`."""


class EmbeddingConfig(LossChoice, LengthConfig):
    """Vectors of texts that lie near where the texts are alike (Reimers and Gurevych 2019)."""

    pooling: tuple[PoolingMode, ...] | None = None
    """What is made of the tokens' states; without it as the model was trained, or the mean."""
    dense: int | None = Field(default=None, ge=1, le=65_536)
    """Dimensions of the vectors, by a layer of its own over the pooled ones (tanh, as in
    sentence-transformers)."""
    normalize: bool | None = None
    """Gives all vectors length 1; without it as the model has it, or not."""
    prompts: dict[str, str] = {}
    """Texts set before others, by their use: `query` before anchors, `document` before all else."""
    mix: tuple[MixedSet, ...] = ()
    """Further data sets."""


RankingLoss = Literal[
    "auto", "binary-cross-entropy", "mean-squared-error", "ranknet", "listnet", "listmle", "lambda",
]  # fmt: skip
_ONLY_WITH = {
    "positive_weight": ("loss", "binary-cross-entropy"),
    "weighting": ("loss", "lambda"),
    "stride": ("windows", "best"),
}
"""Settings of a reranking, and what they are for."""


class RerankingConfig(LengthConfig):
    """A score of how well a document answers a query, both read together (Nogueira and Cho 2019,
    arXiv 1901.04085)."""

    loss: RankingLoss = "auto"
    """What a score learns: each pair by itself, whether it is relevant (binary-cross-entropy, for
    grades in 0..1) or its grade (mean-squared-error); or the order of a query's documents, by pairs
    of them (ranknet, lambda) or all at once (listnet, listmle). auto takes lambda for whole grades
    from 0 on where most queries have documents of several; else binary-cross-entropy for grades in
    0..1, and mean-squared-error for others."""
    positive_weight: float = Field(default=1.0, gt=0.0)
    """How often a pair of grade 1 counts in the binary cross-entropy, to make up for being rare."""
    weighting: Literal["ndcg-loss2++", "ndcg-loss2", "lambdarank"] = "ndcg-loss2++"
    """What two documents in the wrong order cost in the lambda loss: all bound nDCG, of which
    ndcg-loss2++ is the tightest (Wang et al. 2018, "The LambdaLoss Framework for Ranking Metric
    Optimization")."""
    pooling: Literal["cls", "mean"] = "cls"
    """What gives a score: the pooled `[CLS]`, or the mean of all tokens' hidden states, which
    sentence-transformers' CrossEncoder reads of ModernBERT alone."""
    windows: Literal["first", "best"] = "first"
    """What is read of a document that does not fit beside its query: its beginning, or windows of
    all of it, of which the best score counts (MaxP, Dai and Callan 2019, arXiv 1905.09217).
    Training reads the beginning."""
    stride: int = Field(default=32, ge=0)
    """Tokens that two neighbouring windows of a document share, at most half of what one holds."""

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> Self:
        for name, (other, wanted) in _ONLY_WITH.items():
            usual, found = type(self).model_fields[name].default, getattr(self, other)
            if getattr(self, name) != usual and found != wanted:
                raise ValueError(f"{name} has no effect with {other} {found}: set {other} {wanted}")
        return self


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
