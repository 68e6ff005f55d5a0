"""What a classifier's outputs mean: one label of several, any number of labels, or a number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from torch import Tensor

from unmask.data.labelled.examples import TextExample
from unmask.errors import DataError
from unmask.tasks import losses
from unmask.tasks.config import ClassificationConfig
from unmask.tasks.metrics import calibration, classification, multi_label, regression, thresholds
from unmask.tasks.metrics.resampling import Bootstrap, Interval
from unmask.tasks.task import Prediction

Floats = NDArray[np.floating[Any]]
_SHOWN = 10
"""Labels listed in a message."""


class Targets(Protocol):
    """How the labels of one kind become numbers, a loss, an answer and scores."""

    @property
    def problem_type(self) -> str:
        """Hugging Face's word for it."""

    @property
    def metric(self) -> str:
        """The score by which models are chosen."""

    @property
    def labels(self) -> tuple[str, ...]:
        """By output."""

    def row(self, example: TextExample) -> NDArray[np.generic]:
        """(1,) or (1, K) what the example's label is as numbers.

        Raises:
            DataError: A label that training did not have, or none.
        """

    def count(self, rows: Tensor) -> float:
        """What the loss of (B, ...) rows is divided by."""

    def loss(self, logits: Tensor, rows: Tensor) -> Tensor:
        """() summed over (B, K) logits."""

    def decode(self, logits: Floats) -> Prediction:
        """The answer that (K,) logits give."""

    def score(self, rows: NDArray[np.generic], logits: Floats) -> dict[str, float]:
        """The measures of (B, K) logits."""

    def intervals(
        self, rows: NDArray[np.generic], logits: Floats, bootstrap: Bootstrap
    ) -> dict[str, Interval]:
        """The same with confidence intervals."""

    def tuned(self, rows: NDArray[np.generic], logits: Floats) -> Self:
        """With what is fitted on validation data."""

    def stored(self) -> dict[str, Any]:
        """All fields, as JSON has them."""


@dataclass(frozen=True)
class OneLabel:
    """One label of K."""

    labels: tuple[str, ...]
    class_weights: tuple[float, ...] | None = None
    """(K,) what an example of each class counts in the loss; None where all count the same."""
    label_smoothing: float = 0.0
    focal_gamma: float = 0.0
    temperature: float = 1.0
    """What logits are divided by, so that probabilities mean what they say (Guo et al. 2017)."""

    problem_type = "single_label_classification"
    metric = "accuracy"

    def row(self, example: TextExample) -> NDArray[np.generic]:
        """(1,) the number of its class."""
        return np.array([number_of(self.labels, str(named(example)), example.place)])

    def count(self, rows: Tensor) -> float:
        """Examples, or the sum of their weights."""
        return losses.weight_of(rows, self._weights())

    def loss(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Cross-entropy."""
        return losses.cross_entropy(
            logits,
            rows,
            class_weights=self._weights(),
            label_smoothing=self.label_smoothing,
            focal_gamma=self.focal_gamma,
        )

    def decode(self, logits: Floats) -> Prediction:
        """`label`, its `score`, and the `scores` of all."""
        found = self._probabilities(logits).tolist()
        best = int(np.argmax(found))
        scores = dict(zip(self.labels, found, strict=True))
        return {"label": self.labels[best], "score": found[best], "scores": scores}

    def score(self, rows: NDArray[np.generic], logits: Floats) -> dict[str, float]:
        """See `metrics.classification`."""
        return classification.scores(rows, self._probabilities(logits), self.labels)

    def intervals(
        self, rows: NDArray[np.generic], logits: Floats, bootstrap: Bootstrap
    ) -> dict[str, Interval]:
        """See `metrics.classification`."""
        probabilities = self._probabilities(logits)
        return classification.score_intervals(rows, probabilities, self.labels, bootstrap)

    def tuned(self, rows: NDArray[np.generic], logits: Floats) -> Self:
        """With a temperature."""
        return replace(self, temperature=calibration.fit_temperature(logits, rows))

    def stored(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def _probabilities(self, logits: Floats) -> Floats:
        found: Floats = special.softmax(np.asarray(logits, np.float64) / self.temperature, axis=-1)
        return found

    def _weights(self) -> Tensor | None:
        return None if self.class_weights is None else torch.tensor(self.class_weights)


@dataclass(frozen=True)
class SeveralLabels:
    """Any of K labels, each by itself."""

    labels: tuple[str, ...]
    positive_weights: tuple[float, ...] | None = None
    """(K,) what a label that is there counts in the loss; None where all decisions count alike."""
    thresholds: tuple[float, ...] | None = None
    """(K,) probabilities from which a label is given; None means 0.5."""

    problem_type = "multi_label_classification"
    metric = "f1_micro"

    def row(self, example: TextExample) -> NDArray[np.generic]:
        """(1, K) of 0 and 1."""
        row = np.zeros((1, len(self.labels)), dtype=np.float32)
        for name in names(example):
            row[0, number_of(self.labels, name, example.place)] = 1.0
        return row

    def count(self, rows: Tensor) -> float:
        """Decisions: examples times labels."""
        return float(rows.numel())

    def loss(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Binary cross-entropy."""
        weights = None if self.positive_weights is None else torch.tensor(self.positive_weights)
        return losses.binary_cross_entropy(logits, rows, weights)

    def decode(self, logits: Floats) -> Prediction:
        """The `labels` given, and the `scores` of all."""
        found = special.expit(np.asarray(logits, np.float64))
        given = [name for name, is_given in zip(self.labels, found >= self._limits(), strict=True)
                 if is_given]  # fmt: skip
        return {"labels": given, "scores": dict(zip(self.labels, found.tolist(), strict=True))}

    def score(self, rows: NDArray[np.generic], logits: Floats) -> dict[str, float]:
        """See `metrics.multi_label`."""
        found = special.expit(np.asarray(logits, np.float64))
        return multi_label.scores(rows, found, self.labels, self._limits())

    def intervals(
        self, rows: NDArray[np.generic], logits: Floats, bootstrap: Bootstrap
    ) -> dict[str, Interval]:
        """See `metrics.multi_label`."""
        found = special.expit(np.asarray(logits, np.float64))
        return multi_label.score_intervals(rows, found, self.labels, self._limits(), bootstrap)

    def tuned(self, rows: NDArray[np.generic], logits: Floats) -> Self:
        """With a threshold for each label."""
        found = special.expit(np.asarray(logits, np.float64))
        return replace(self, thresholds=tuple(thresholds.best_thresholds(rows, found)))

    def stored(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def _limits(self) -> Floats:
        return np.array(self.thresholds or [0.5] * len(self.labels))


@dataclass(frozen=True)
class Number:
    """A number, in the unit of the training labels."""

    problem_type = "regression"
    metric = "spearman"

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for the one output."""
        return ("value",)

    def row(self, example: TextExample) -> NDArray[np.generic]:
        """(1,) the number."""
        if not isinstance(example.label, float):
            raise DataError(
                f"{example.place}: label {example.label!r} is no number, which regression needs."
            )
        return np.array([example.label], dtype=np.float32)

    def count(self, rows: Tensor) -> float:
        """Examples."""
        return float(rows.numel())

    def loss(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Squared error."""
        return losses.squared_error(logits.squeeze(-1), rows)

    def decode(self, logits: Floats) -> Prediction:
        """The `value`."""
        return {"value": float(logits[0])}

    def score(self, rows: NDArray[np.generic], logits: Floats) -> dict[str, float]:
        """See `metrics.regression`."""
        return regression.scores(rows, logits[:, 0])

    def intervals(
        self, rows: NDArray[np.generic], logits: Floats, bootstrap: Bootstrap
    ) -> dict[str, Interval]:
        """See `metrics.regression`."""
        return regression.score_intervals(rows, logits[:, 0], bootstrap)

    def tuned(self, _rows: NDArray[np.generic], _logits: Floats, /) -> Self:
        """As it is."""
        return self

    def stored(self) -> dict[str, Any]:
        """Nothing."""
        return {}


def begin(config: ClassificationConfig, examples: Sequence[TextExample]) -> Targets:
    """What these examples' labels are.

    Raises:
        DataError: Unlabelled examples, or nothing to tell apart.
    """
    if config.kind == "regression":
        return Number()
    counts = Counter(name for example in examples for name in names(example))
    if len(counts) < (2 if config.kind == "single" else 1):
        raise DataError(
            f"{examples[0].place}: all {len(examples)} examples carry the same label "
            f"({', '.join(counts) or 'none'}); expected at least two to tell apart."
        )
    labels, balanced = _in_order(counts), config.class_weights == "balanced"
    total = len(examples)
    if config.kind == "multi":
        ratios = tuple((total - counts[name]) / counts[name] for name in labels)
        return SeveralLabels(labels, ratios if balanced else None)
    shares = tuple(total / (len(labels) * counts[name]) for name in labels)
    return OneLabel(
        labels, shares if balanced else None, config.label_smoothing, config.focal_gamma
    )


def restore(kind: str, stored: Mapping[str, Any]) -> Targets:
    """From what `stored` gave."""
    kinds: dict[str, Callable[..., Targets]] = {
        "single": OneLabel,
        "multi": SeveralLabels,
        "regression": Number,
    }
    fields = {name: tuple(v) if isinstance(v, list) else v for name, v in stored.items()}
    return kinds[kind](**fields)


def named(example: TextExample) -> str | tuple[str, ...] | float:
    """The example's label.

    Raises:
        DataError: It has none.
    """
    if example.label is None:
        raise DataError(f"{example.place}: has no label.")
    return example.label


def names(example: TextExample) -> tuple[str, ...]:
    """The example's label or labels."""
    label = named(example)
    return label if isinstance(label, tuple) else (str(label),)


def number_of(labels: Sequence[str], name: str, place: str) -> int:
    """Which of the labels it is.

    Raises:
        DataError: None of them.
    """
    try:
        return labels.index(name)
    except ValueError:
        known = ", ".join(map(repr, labels[:_SHOWN])) + (", ..." if len(labels) > _SHOWN else "")
        raise DataError(
            f"{place}: label {name!r} is none of the {len(labels)} that the model was trained on "
            f"({known})."
        ) from None


def _in_order(found: Iterable[str]) -> tuple[str, ...]:
    """By number where all are numbers, else by the alphabet."""
    listed = list(found)
    are_numbers = all(name.isdecimal() for name in listed)
    return tuple(sorted(listed, key=lambda name: (int(name) if are_numbers else 0, name)))
