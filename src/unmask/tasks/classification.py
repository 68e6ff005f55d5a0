"""Classification of texts and of pairs of texts: one label, several labels, or a number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unmask.batch import Batch
from unmask.data.labelled.examples import TextExample
from unmask.data.windows import Window
from unmask.errors import DataError
from unmask.nn import pooling
from unmask.tasks import losses
from unmask.tasks.config import ClassificationConfig
from unmask.tasks.encoding import encode_texts, pair, single
from unmask.tasks.metrics import calibration, classification
from unmask.tasks.task import Outputs, Prediction, Term
from unmask.text.tokenizer import Tokenizer

_PROBLEM_TYPES = {
    "single": "single_label_classification",
    "multi": "multi_label_classification",
    "regression": "regression",
}
_METRICS = {"single": "accuracy", "multi": "f1", "regression": "spearman"}
_TERM = "classification"
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Classification:
    """A linear layer over one vector of the sequence (Devlin et al. 2019, section 4.1)."""

    config: ClassificationConfig
    labels: tuple[str, ...]
    """By class number; for regression the name of the number."""
    class_weights: tuple[float, ...] | None = None
    """(K,) of the loss; None where all classes count the same."""
    temperature: float = 1.0
    """What logits are divided by, so that probabilities mean what they say."""
    thresholds: tuple[float, ...] | None = None
    """(K,) probabilities from which each of several labels is given; None means 0.5."""
    metric: str = "accuracy"

    name = _TERM

    @classmethod
    def begin(cls, config: ClassificationConfig, examples: Sequence[TextExample]) -> Self:
        """The task for these examples: what their labels are.

        Raises:
            DataError: Unlabelled examples, or nothing to tell apart.
        """
        metric = _METRICS[config.kind]
        if config.kind == "regression":
            return cls(config, ("value",), metric=metric)
        counts = Counter(name for example in examples for name in _names(example))
        if len(counts) < (2 if config.kind == "single" else 1):
            raise DataError(
                f"{examples[0].place}: all {len(examples)} examples carry the same label "
                f"({', '.join(counts) or 'none'}); expected at least two to tell apart."
            )
        labels = _in_order(counts)
        weights = None
        if config.class_weights == "balanced":
            weights = _balanced(counts, labels, len(examples), config.kind)
        return cls(config, labels, weights, metric=metric)

    @property
    def head(self) -> str:
        """With the tanh pooler of the paper, or without for the mean."""
        return "pooled_classifier" if self.config.pooling == "cls" else "classifier"

    @property
    def num_outputs(self) -> int:
        """K."""
        return len(self.labels)

    @property
    def problem_type(self) -> str:
        """Hugging Face's word for it."""
        return _PROBLEM_TYPES[self.config.kind]

    @property
    def architecture(self) -> str | None:
        """transformers has no mean-pooled classifier."""
        return "SequenceClassification" if self.config.pooling == "cls" else None

    def stored(self) -> dict[str, Any]:
        """All fields, for unmask.json."""
        return {
            "name": self.name,
            "config": self.config.model_dump(mode="json"),
            "labels": list(self.labels),
            "class_weights": self.class_weights,
            "temperature": self.temperature,
            "thresholds": self.thresholds,
            "metric": self.metric,
        }

    @classmethod
    def restore(cls, stored: Mapping[str, Any]) -> Self:
        """What `stored` gave."""
        return cls(
            ClassificationConfig.model_validate(stored["config"]),
            tuple(stored["labels"]),
            _optional(stored["class_weights"]),
            float(stored["temperature"]),
            _optional(stored["thresholds"]),
            str(stored["metric"]),
        )

    # --- training

    def rows(self, batch: Batch) -> Tensor | None:
        """Each sequence's `[CLS]`, or every position for the mean."""
        return batch.starts() if self.config.pooling == "cls" else None

    def outputs(self, heads: nn.ModuleDict, hidden: Tensor, batch: Batch) -> Outputs:
        """(B, K) logits, or for regression the values."""
        vectors = hidden if self.config.pooling == "cls" else pooling.mean(hidden, batch.lengths)
        return {_TERM: heads[self.head](vectors)}

    def counts(self, batch: Batch) -> dict[str, float]:
        """Examples, or the sum of their weights; for several labels, decisions."""
        labels = batch.labels[_TERM]
        if self.config.kind == "single":
            return {_TERM: losses.weight_of(labels, self._weights())}
        return {_TERM: float(labels.numel())}

    def loss(self, outputs: Outputs, batch: Batch) -> list[Term]:
        """The summed cross-entropy, binary cross-entropy or squared error."""
        logits, labels = outputs[_TERM], batch.labels[_TERM]
        if self.config.kind == "single":
            total = losses.cross_entropy(
                logits,
                labels,
                class_weights=self._weights(),
                label_smoothing=self.config.label_smoothing,
                focal_gamma=self.config.focal_gamma,
            )
        elif self.config.kind == "multi":
            total = losses.binary_cross_entropy(logits, labels, self._weights())
        else:
            total = losses.squared_error(logits.squeeze(-1), labels)
        return [Term(_TERM, 1.0, total)]

    # --- examples

    def encode(
        self, examples: Sequence[TextExample], tokenizer: Tokenizer, longest: int
    ) -> list[list[Window]]:
        """`[CLS]` text `[SEP]`, and the second text of a pair as segment 1.

        Raises:
            DataError: A label that training did not have.
        """
        longest = min(longest, self.config.max_length or longest)
        stride, special = self.config.stride, tokenizer.special
        first = encode_texts([example.text for example in examples], tokenizer)
        second = encode_texts([example.text_pair or "" for example in examples], tokenizer)
        encoded: list[list[Window]] = []
        for example, a, b in zip(examples, first, second, strict=True):
            windows = (
                single(a, special, longest, stride)
                if example.text_pair is None
                else pair(a, b, special, longest, stride)
            )
            labels = self._labels(example)
            encoded.append([replace(window, labels=labels) for window in windows])
        return encoded

    def results(self, outputs: Outputs, _batch: Batch, /) -> list[Floats]:
        """(K,) logits of each sequence."""
        return list(losses.widened(outputs[_TERM]).cpu().numpy())

    def merge(
        self, _example: TextExample, _windows: Sequence[Window], results: Sequence[Floats], /
    ) -> Floats:
        """(K,) the mean of the windows' logits."""
        return results[0] if len(results) == 1 else np.mean(results, axis=0)

    def decode(self, _example: TextExample, scores: Floats, /) -> Prediction:
        """`label`, its `score` and all `scores`; `labels` where there may be several; `value`."""
        if self.config.kind == "regression":
            return {"value": float(scores[0])}
        probabilities = self.probabilities(scores[None])[0]
        by_label = dict(zip(self.labels, probabilities.tolist(), strict=True))
        if self.config.kind == "multi":
            given = probabilities >= self._thresholds()
            return {
                "labels": [
                    name for name, is_given in zip(self.labels, given, strict=True) if is_given
                ],
                "scores": by_label,
            }
        best = int(probabilities.argmax())
        return {
            "label": self.labels[best],
            "score": by_label[self.labels[best]],
            "scores": by_label,
        }

    def score(self, examples: Sequence[TextExample], scores: Sequence[Floats]) -> dict[str, float]:
        """scikit-learn's and scipy's measures of the kind of label."""
        stacked = np.stack(scores)
        targets = self.targets(examples)
        if self.config.kind == "regression":
            return classification.regression_scores(targets, stacked[:, 0])
        probabilities = self.probabilities(stacked)
        if self.config.kind == "multi":
            return classification.multi_label_scores(
                targets, probabilities, self.labels, self._thresholds()
            )
        return classification.scores(targets, probabilities, self.labels)

    def tuned(self, examples: Sequence[TextExample], scores: Sequence[Floats]) -> Self:
        """With the temperature, and for several labels the thresholds, that fit these examples."""
        if not self.config.calibrate or self.config.kind == "regression":
            return self
        stacked, targets = np.stack(scores), self.targets(examples)
        if self.config.kind == "single":
            return replace(self, temperature=calibration.temperature(stacked, targets))
        probabilities = self.probabilities(stacked)
        return replace(self, thresholds=tuple(calibration.thresholds(probabilities, targets)))

    def probabilities(self, logits: Floats) -> Floats:
        """(B, K) from (B, K); each by itself where there may be several labels."""
        scaled = torch.from_numpy(np.asarray(logits, dtype=np.float64) / self.temperature)
        return (scaled.sigmoid() if self.config.kind == "multi" else scaled.softmax(-1)).numpy()

    def targets(self, examples: Sequence[TextExample]) -> NDArray[np.generic]:
        """(B,) class numbers, (B, K) zeros and ones, or (B,) numbers.

        Raises:
            DataError: An example without a label, or with one that training did not have.
        """
        labels = [self._labels(example) for example in examples]
        for example, found in zip(examples, labels, strict=True):
            if not found:
                raise DataError(f"{example.place}: has no label to compare with.")
        return np.concatenate([found[_TERM] for found in labels])

    def _labels(self, example: TextExample) -> dict[str, NDArray[np.generic]]:
        if example.label is None:
            return {}
        if self.config.kind == "regression":
            return {_TERM: np.array([_number(example)], dtype=np.float32)}
        numbers = [self._number(name, example.place) for name in _names(example)]
        if self.config.kind == "single":
            return {_TERM: np.array(numbers, dtype=np.int64)}
        row = np.zeros((1, len(self.labels)), dtype=np.float32)
        row[0, numbers] = 1.0
        return {_TERM: row}

    def _number(self, name: str, place: str) -> int:
        try:
            return self.labels.index(name)
        except ValueError:
            known = ", ".join(map(repr, self.labels[:10]))
            raise DataError(
                f"{place}: label {name!r} is none of the {len(self.labels)} that the model knows "
                f"({known}{', ...' if len(self.labels) > 10 else ''})."
            ) from None

    def _weights(self) -> Tensor | None:
        return None if self.class_weights is None else torch.tensor(self.class_weights)

    def _thresholds(self) -> NDArray[np.float64]:
        return np.array(self.thresholds or [0.5] * len(self.labels))


def _names(example: TextExample) -> tuple[str, ...]:
    """The example's labels as names.

    Raises:
        DataError: It has none.
    """
    if example.label is None:
        raise DataError(f"{example.place}: has no label to learn from.")
    return example.label if isinstance(example.label, tuple) else (str(example.label),)


def _number(example: TextExample) -> float:
    if not isinstance(example.label, float):
        raise DataError(
            f"{example.place}: label {example.label!r} is no number, which regression needs."
        )
    return example.label


def _balanced(
    counts: Mapping[str, int], labels: Sequence[str], num_examples: int, kind: str
) -> tuple[float, ...]:
    """n / (K * count) as in scikit-learn; negatives to positives where labels are independent."""
    if kind == "single":
        return tuple(num_examples / (len(labels) * counts[name]) for name in labels)
    return tuple((num_examples - counts[name]) / counts[name] for name in labels)


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    """By number where all are numbers, else by the alphabet."""
    found = list(names)
    are_numbers = all(name.isdecimal() for name in found)
    return tuple(sorted(found, key=lambda name: (int(name) if are_numbers else 0, name)))


def _optional(values: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(values)
