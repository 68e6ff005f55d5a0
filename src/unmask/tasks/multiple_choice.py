"""Multiple choice: which of several continuations or answers goes with a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter
from scipy import special
from torch import Tensor, nn

from unmask.batch import IGNORED, Batch
from unmask.data.labelled.examples import ChoiceExample
from unmask.data.windows import Window
from unmask.errors import DataError
from unmask.nn import pooling
from unmask.tasks.config import MultipleChoiceConfig
from unmask.tasks.encoding import Ids, encode_texts, spans
from unmask.tasks.losses import cross_entropy, widened
from unmask.tasks.metrics import calibration
from unmask.tasks.metrics.resampling import Bootstrap, Interval, mean_interval
from unmask.tasks.task import Outputs, Prediction, Term
from unmask.text.layout import Layout
from unmask.text.tokenizer import Tokenizer

_TERM = "choice"
_IMPOSSIBLE = 1e6
"""Logits below the worst choice, which no temperature that is looked for makes likely."""
_TEMPERATURE: TypeAdapter[float] = TypeAdapter(Annotated[float, Field(gt=0.0, le=1e6, strict=True)])
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class MultipleChoice:
    """One score for the text with each choice, softmax over the choices (Devlin et al. 2019, 4.4).

    The choices of a question are a group of sequences in the batch, and share one label.
    """

    config: MultipleChoiceConfig
    temperature: float = 1.0
    """What logits are divided by, so that probabilities mean what they say (Guo et al. 2017)."""

    name = "multiple-choice"
    num_outputs = 1
    labels: tuple[str, ...] = ()
    problem_type = None
    metric = "accuracy"

    @property
    def head(self) -> str:
        """As in classification."""
        return "pooled_classifier" if self.config.pooling == "cls" else "classifier"

    @property
    def architecture(self) -> str | None:
        """None for the mean, which most of transformers' classes do not read."""
        return "MultipleChoice" if self.config.pooling == "cls" else None

    @classmethod
    def begin(cls, config: MultipleChoiceConfig, examples: Sequence[ChoiceExample]) -> Self:
        """The task for these training examples.

        Raises:
            DataError: An unlabelled example, or one with another number of choices than the first.
        """
        for example in examples:
            _label(example)
            if len(example.choices) != len(examples[0].choices):
                raise DataError(
                    f"{example.place}: has {len(example.choices)} choices, but "
                    f"{examples[0].place} has {len(examples[0].choices)}; expected the same number "
                    "in every example to train on. Leave out the others."
                )
        return cls(config)

    @classmethod
    def foreign(cls, pooling: Literal["cls", "mean"] = "cls") -> Self:
        """The task of a model that another tool wrote."""
        return cls(MultipleChoiceConfig(pooling=pooling))

    @classmethod
    def restore(cls, stored: Mapping[str, Any]) -> Self:
        """From what `stored` gave; older folders have no temperature."""
        config = MultipleChoiceConfig.model_validate(stored["config"])
        return cls(config, _TEMPERATURE.validate_python(stored.get("temperature", 1.0)))

    def stored(self) -> dict[str, Any]:
        """The settings, and what was fitted."""
        return {
            "name": self.name,
            "config": self.config.model_dump(mode="json"),
            "temperature": self.temperature,
        }

    # --- training

    def rows(self, batch: Batch) -> Tensor | None:
        """Each sequence's `[CLS]`, or every position for the mean."""
        return batch.starts() if self.config.pooling == "cls" else None

    def outputs(self, heads: nn.ModuleDict, hidden: Tensor, batch: Batch) -> Outputs:
        """(B, 1) logits."""
        vectors = hidden if self.config.pooling == "cls" else pooling.mean(hidden, batch.lengths)
        return {_TERM: heads[self.head](vectors)}

    def counts(self, batch: Batch) -> dict[str, float]:
        """Questions."""
        return {_TERM: float((batch.labels[_TERM] != IGNORED).sum())}

    def loss(self, outputs: Outputs, batch: Batch) -> list[Term]:
        """The summed cross-entropy of the right choice."""
        logits = outputs[_TERM].view(-1, batch.group_size)  # (questions, choices)
        return [Term(_TERM, 1.0, cross_entropy(logits, batch.labels[_TERM]))]

    # --- examples

    def encode(
        self, examples: Sequence[ChoiceExample], tokenizer: Tokenizer, longest: int
    ) -> list[list[Window]]:
        """`[CLS]` text `[SEP]` choice `[SEP]`, the choice as segment 1; one group after another.

        A text that does not fit beside the longest choice is windowed, each window with every
        choice; in training each of these groups is a question with the same label. A choice that
        fills more than half of the room is cut to that.

        Raises:
            DataError: A label that is none of the choices.
        """
        longest = min(longest, self.config.max_length or longest)
        texts = iter(encode_texts([example.text for example in examples], tokenizer))
        every = [choice for example in examples for choice in example.choices]
        choices = iter(encode_texts(every, tokenizer))
        encoded: list[list[Window]] = []
        for example in examples:
            several = [next(choices) for _ in example.choices]
            label = None if example.label is None else _label(example)
            text, stride = next(texts), self.config.stride
            encoded.append(_groups(text, several, label, tokenizer.layout, longest, stride))
        return encoded

    def results(self, outputs: Outputs, _batch: Batch, /) -> list[NDArray[np.float32]]:
        """(1,) the logit of each sequence."""
        return list(widened(outputs[_TERM]).cpu().numpy())

    def merge(
        self, example: ChoiceExample, _windows: Sequence[Window], results: Sequence[Floats], /
    ) -> Floats:
        """(choices,) the mean over the text's windows of each choice's logit."""
        logits = np.concatenate(results).reshape(-1, len(example.choices))
        merged: Floats = logits.mean(axis=0)
        return merged

    def decode(self, example: ChoiceExample, scores: Floats, /) -> Prediction:
        """`choice` is its number from 0, `label` its text; with its `score` and all `scores`."""
        found = np.exp(self._log_probabilities(scores)).tolist()
        best = int(np.argmax(found))
        return {
            "choice": best,
            "label": example.choices[best],
            "score": found[best],
            "scores": found,
        }

    def score(
        self, examples: Sequence[ChoiceExample], scores: Sequence[Floats]
    ) -> dict[str, float]:
        """`accuracy`, and `log_loss` in nats."""
        judged = self._judged(examples, scores)
        return {name: float(values.mean()) for name, values in judged.items()}

    def intervals(
        self, examples: Sequence[ChoiceExample], scores: Sequence[Floats], bootstrap: Bootstrap
    ) -> dict[str, Interval]:
        """The same with bootstrap intervals."""
        judged = self._judged(examples, scores)
        return {name: mean_interval(values, bootstrap) for name, values in judged.items()}

    def tuned(self, examples: Sequence[ChoiceExample], scores: Sequence[Floats]) -> Self:
        """With a temperature, over the choices of each question."""
        if not self.config.calibrate:
            return self
        logits = np.full((len(scores), max(map(len, scores))), 0.0)
        for row, one in zip(logits, scores, strict=True):
            row[:] = one.min() - _IMPOSSIBLE  # what a question with fewer choices does not have
            row[: len(one)] = one
        labels = [_label(example) for example in examples]
        return replace(self, temperature=calibration.fit_temperature(logits, labels))

    def _judged(
        self, examples: Sequence[ChoiceExample], scores: Sequence[Floats]
    ) -> dict[str, Floats]:
        """(B,) each of every question."""
        labels = [_label(example) for example in examples]
        pairs = list(zip(scores, labels, strict=True))
        losses = [-self._log_probabilities(logits)[label] for logits, label in pairs]
        return {
            "accuracy": np.array([float(logits.argmax() == label) for logits, label in pairs]),
            "log_loss": np.array(losses),
        }

    def _log_probabilities(self, logits: Floats) -> Floats:
        found: Floats = special.log_softmax(np.asarray(logits, np.float64) / self.temperature)
        return found


def _groups(
    text: Ids,
    choices: Sequence[Ids],
    label: int | None,
    layout: Layout,
    longest: int,
    stride: int,
) -> list[Window]:
    """The windows of the text, each with all choices in their order."""
    room = longest - layout.pair_cost
    most = max(map(len, choices))
    if len(text) + most > room:
        choices = [choice[: room // 2] for choice in choices]
        most = min(most, room // 2)
    windows: list[Window] = []
    for start, stop in spans(len(text), room - most, stride):
        num_first = len(layout.opening(text[start:stop]))
        for i, choice in enumerate(choices):
            labels = {} if label is None else {_TERM: np.array([label][: i == 0], dtype=np.int64)}
            tokens = layout.pair(text[start:stop], choice)
            windows.append(Window(tokens, num_first, labels, group_size=len(choices)))
    return windows


def _label(example: ChoiceExample) -> int:
    """The number of the right choice.

    Raises:
        DataError: There is none.
    """
    if example.label is None:
        raise DataError(f"{example.place}: has no label.")
    if not 0 <= example.label < len(example.choices):
        raise DataError(
            f"{example.place}: label {example.label} is none of {len(example.choices)} choices; "
            f"expected a number from 0 to {len(example.choices) - 1}."
        )
    return example.label
