"""Classification of texts and of pairs of texts; also regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from torch import Tensor, nn

from unmask.batch import Batch
from unmask.data.labelled.examples import TextExample
from unmask.data.windows import Window
from unmask.errors import DataError
from unmask.nn import pooling
from unmask.tasks.config import ClassificationConfig
from unmask.tasks.encoding import encode_texts, pair, single
from unmask.tasks.losses import widened
from unmask.tasks.metrics.resampling import Bootstrap, Interval
from unmask.tasks.targets import choosing
from unmask.tasks.targets.number import Number
from unmask.tasks.targets.one_label import OneLabel
from unmask.tasks.targets.protocol import Floats, Targets
from unmask.tasks.targets.several_labels import SeveralLabels
from unmask.tasks.task import Outputs, Prediction, Term
from unmask.text.tokenizer import Tokenizer

_TERM = "classification"
_FOREIGN: dict[str, tuple[str, type[OneLabel] | type[SeveralLabels]]] = {
    OneLabel.problem_type: ("single", OneLabel),
    SeveralLabels.problem_type: ("multi", SeveralLabels),
}


@dataclass(frozen=True)
class Classification:
    """A linear layer over one vector of the sequence (Devlin et al. 2019, section 4.1)."""

    config: ClassificationConfig
    targets: Targets
    pairs: bool | None = None
    """Whether it was trained on pairs of texts; None where that is not known, or on both."""

    name = "classification"

    @classmethod
    def begin(cls, config: ClassificationConfig, examples: Sequence[TextExample]) -> Self:
        """The task for these training examples.

        Raises:
            DataError: Unlabelled examples, or nothing to tell apart.
        """
        kinds = {example.text_pair is not None for example in examples}
        pairs = kinds.pop() if len(kinds) == 1 else None
        return cls(config, choosing.begin(config, examples), pairs)

    @classmethod
    def foreign(
        cls,
        labels: tuple[str, ...],
        problem_type: str | None,
        pooling: Literal["cls", "mean"] = "cls",
    ) -> Self | None:
        """The task of a model that another tool wrote; one output alone is a number.

        None for several numbers, which are not read here.
        """
        if len(labels) == 1 and problem_type not in _FOREIGN:
            return cls(ClassificationConfig(kind="regression", pooling=pooling), Number())
        if problem_type == Number.problem_type:
            return None
        kind, made = _FOREIGN.get(problem_type or "", ("single", OneLabel))
        return cls(
            ClassificationConfig.model_validate({"kind": kind, "pooling": pooling}), made(labels)
        )

    @classmethod
    def restore(cls, stored: Mapping[str, Any]) -> Self:
        """From what `stored` gave."""
        config = ClassificationConfig.model_validate(stored["config"])
        pairs = stored.get("pairs")  # which older folders do not say
        targets = choosing.restore(config.kind, stored["targets"])
        return cls(config, targets, pairs if isinstance(pairs, bool) else None)

    def stored(self) -> dict[str, Any]:
        """The settings, the labels, and what was fitted."""
        return {
            "name": self.name,
            "config": self.config.model_dump(mode="json"),
            "targets": self.targets.stored(),
            "pairs": self.pairs,
        }

    @property
    def head(self) -> str:
        """With the tanh pooler of the paper, or without for the mean."""
        return "pooled_classifier" if self.config.pooling == "cls" else "classifier"

    @property
    def num_outputs(self) -> int:
        """K."""
        return len(self.labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """By output."""
        return self.targets.labels

    @property
    def problem_type(self) -> str:
        """Hugging Face's word for the kind of labels."""
        return self.targets.problem_type

    @property
    def architecture(self) -> str | None:
        """transformers has no mean-pooled classifier."""
        return "SequenceClassification" if self.config.pooling == "cls" else None

    @property
    def metric(self) -> str:
        """Accuracy, macro F1 of several labels, or Spearman's correlation."""
        return self.targets.metric

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
        return {_TERM: self.targets.count(batch.labels[_TERM])}

    def loss(self, outputs: Outputs, batch: Batch) -> list[Term]:
        """The summed cross-entropy, binary cross-entropy or squared error."""
        return [Term(_TERM, 1.0, self.targets.loss(outputs[_TERM], batch.labels[_TERM]))]

    # --- examples

    def encode(
        self, examples: Sequence[TextExample], tokenizer: Tokenizer, longest: int
    ) -> list[list[Window]]:
        """`[CLS]` text `[SEP]`, and the second text of a pair as segment 1.

        In training every window of a long text is an example with the text's label.

        Raises:
            DataError: A label that training did not have, or one text where it was trained on
                pairs, or the other way round.
        """
        for example in examples:
            self._require_like_training(example)
        longest = min(longest, self.config.max_length or longest)
        stride, layout = self.config.stride, tokenizer.layout
        first = encode_texts([example.text for example in examples], tokenizer)
        second = encode_texts([example.text_pair or "" for example in examples], tokenizer)
        encoded: list[list[Window]] = []
        for example, a, b in zip(examples, first, second, strict=True):
            windows = (
                single(a, layout, longest, stride)
                if example.text_pair is None
                else pair(a, b, layout, longest, stride)
            )
            labels = {} if example.label is None else {_TERM: self.targets.row(example)}
            encoded.append([replace(window, labels=labels) for window in windows])
        return encoded

    def results(self, outputs: Outputs, _batch: Batch, /) -> list[Floats]:
        """(K,) logits of each sequence."""
        return list(widened(outputs[_TERM]).cpu().numpy())

    def merge(
        self, _example: TextExample, _windows: Sequence[Window], results: Sequence[Floats], /
    ) -> Floats:
        """(K,) the mean of the windows' logits."""
        merged: Floats = np.mean(results, axis=0)
        return merged

    def decode(self, _example: TextExample, scores: Floats, /) -> Prediction:
        """`label` with its `score`, or `labels`, with all `scores`; or a `value`."""
        return self.targets.decode(scores)

    def score(self, examples: Sequence[TextExample], scores: Sequence[Floats]) -> dict[str, float]:
        """scikit-learn's and scipy's measures for the kind of label."""
        return self.targets.score(self._rows(examples), np.stack(scores))

    def intervals(
        self, examples: Sequence[TextExample], scores: Sequence[Floats], bootstrap: Bootstrap
    ) -> dict[str, Interval]:
        """The same with bootstrap intervals."""
        return self.targets.intervals(self._rows(examples), np.stack(scores), bootstrap)

    def tuned(self, examples: Sequence[TextExample], scores: Sequence[Floats]) -> Self:
        """With a temperature, or a threshold for each of several labels."""
        if not self.config.calibrate:
            return self
        return replace(self, targets=self.targets.tuned(self._rows(examples), np.stack(scores)))

    def _require_like_training(self, example: TextExample) -> None:
        is_pair = example.text_pair is not None
        if self.pairs is None or self.pairs == is_pair:
            return
        trained, found, hint = (
            ("pairs of texts", "one text", "Give both, as `text` and `text_pair`")
            if self.pairs
            else ("single texts", "a pair", "Give one; of a table --data.columns.text names it")
        )
        raise DataError(
            f"{example.place}: is {found}, but the model was trained on {trained}, so that its "
            f"answer would mean nothing. {hint}."
        )

    def _rows(self, examples: Sequence[TextExample]) -> Any:
        return np.concatenate([self.targets.row(example) for example in examples])
