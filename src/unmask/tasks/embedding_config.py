"""Settings of the training of sentence embeddings; imports no tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from unmask.data.labelled.config import LabelledConfig
from unmask.tasks.embedding_losses.config import LOSS_CONFIGS
from unmask.tasks.length_config import LengthConfig
from unmask.tasks.sentence_config import DenseConfig, PoolingMode, SentenceConfig

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
    loss, and by other classes SBERT's softmax classifier; of what a teacher says margin-mse by a
    triplet's margin, kl-divergence by scores of several answers, and embedding-mse by vectors."""
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
    labels: Literal["class", "number", "none"] | None = None
    """What its labels are, see `data.labels`: without it numbers where a range is set, or else
    classes."""
    label_range: tuple[float, float] | None = None
    """Its own `data.label_range`."""
    class_names: tuple[str, ...] = ()
    """Its own `data.class_names`."""
    no_label: tuple[str, ...] | None = None
    """Its own `data.no_label`."""

    def reading(self, main: LabelledConfig) -> LabelledConfig:
        """How its file is read: of the main file's settings only what bounds damage counts."""
        columns: dict[str, Any] = {"texts": self.texts}
        if self.label is not None:
            columns["label"] = (self.label,)
        given: dict[str, Any] = {
            "columns": columns,
            "label_range": self.label_range,
            "class_names": self.class_names,
            "no_label": self.no_label,
            "max_line_bytes": main.max_line_bytes,
            "max_reject_rate": main.max_reject_rate,
        }
        if self.labels is not None:
            given["labels"] = self.labels
        return LabelledConfig.model_validate(given)

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        self.reading(LabelledConfig())
        return self


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

    def sentence(self, before: SentenceConfig | None, hidden_size: int) -> SentenceConfig:
        """How vectors are made: as the model does that is gone on with, but for what is set."""
        usual = before or SentenceConfig()
        pooling = self.pooling or usual.pooling
        layers: list[DenseConfig | Literal["normalize"]] = list(usual.layers)
        if usual.is_normalised:
            layers.pop()
        if self.dense is not None or pooling != usual.pooling:
            layers = []
        if self.dense is not None:
            pooled = hidden_size * len(pooling)
            layers.append(DenseConfig(in_features=pooled, out_features=self.dense))
        if self.normalize if self.normalize is not None else usual.is_normalised:
            layers.append("normalize")
        prompts = {**usual.prompts, **self.prompts}
        changed = {"pooling": pooling, "layers": layers, "prompts": prompts}
        return SentenceConfig.model_validate({**usual.model_dump(), **changed})
