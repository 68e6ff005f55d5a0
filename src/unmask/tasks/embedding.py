"""Training sentence embeddings: texts of an example are embedded alike, and their vectors compared.

Siamese networks (Reimers and Gurevych 2019, arXiv 1908.10084): one encoder reads all texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unmask.batch import Batch
from unmask.data.labelled.examples import EmbeddingExample
from unmask.data.planned import Group
from unmask.data.windows import Window
from unmask.errors import DataError, UsageError
from unmask.tasks import embedding_scores
from unmask.tasks.embedding_config import EmbeddingConfig, LossChoice
from unmask.tasks.embedding_labels import number_of
from unmask.tasks.embedding_losses.loss import EmbeddingLoss
from unmask.tasks.embedding_losses.registry import build as build_loss
from unmask.tasks.embedding_prompts import prompts_of, sets_sides
from unmask.tasks.embedding_sets import Learned, learned
from unmask.tasks.encoding import encode_texts
from unmask.tasks.metrics.resampling import Bootstrap, Interval
from unmask.tasks.metrics.similarity import pairwise
from unmask.tasks.sentence import HEAD, SentenceEmbedding
from unmask.tasks.sentence_config import SentenceConfig
from unmask.tasks.task import Outputs, Prediction, Term
from unmask.text.tokenizer import Tokenizer

Vectors = NDArray[np.float32]
_TERM = "embedding"
_USUAL = EmbeddingConfig()


@dataclass(frozen=True)
class Embedding(SentenceEmbedding):
    """A sentence encoder in training, with a loss for each of the data sets that are mixed."""

    settings: EmbeddingConfig = _USUAL
    sets: tuple[Learned, ...] = ()
    losses: tuple[EmbeddingLoss, ...] = ()
    """Built by `standing_on`, since their weights depend on the width of the vectors."""
    metric: str = "spearman_cosine"

    head = HEAD
    num_outputs = 0
    labels: ClassVar[tuple[str, ...]] = ()
    problem_type: ClassVar[str | None] = None
    architecture: ClassVar[str | None] = None
    vectors: ClassVar[str] = "embedding"

    @classmethod
    def begin(
        cls,
        settings: EmbeddingConfig,
        examples: Sequence[EmbeddingExample],
    ) -> Self:
        """The task for these training examples, and judged by such as they are.

        Raises:
            DataError: Examples of one data set that differ in form, or that no loss fits.
        """
        choices: tuple[LossChoice, ...] = (settings, *settings.mix)
        sets = tuple(
            learned(choice, [example for example in examples if example.data_set == number])
            for number, choice in enumerate(choices)
        )
        metric = embedding_scores.metric_of(examples, classes=sets[0].classes)
        return cls(SentenceConfig(), settings=settings, sets=sets, metric=metric)

    def judged_by(self, validation: Sequence[EmbeddingExample]) -> Self:
        """The same for other examples to choose the best weights by."""
        return replace(self, metric=embedding_scores.metric_of(validation, classes=self._classes))

    def standing_on(self, before: SentenceConfig | None, hidden_size: int) -> Self:
        """The same for an encoder, whose own way of making vectors the settings may change.

        Raises:
            UsageError: Its prompts are left out of pooling, which training does not do.
        """
        config = self.settings.sentence(before, hidden_size)
        if config.prompts and not config.include_prompt:
            raise UsageError(
                "the model leaves its prompts out of pooling (include_prompt is false in "
                "1_Pooling/config.json), which training does not do: set it to true there."
            )
        losses = tuple(
            build_loss(one.loss, config.width(hidden_size), len(one.classes) or None)
            for one in self.sets
        )
        metric = self.metric.replace("cosine", config.similarity)
        return replace(self, config=config, losses=losses, metric=metric)

    @property
    def _classes(self) -> tuple[str, ...]:
        """Those of the first data set, if it has any: examples to be judged are like it."""
        return self.sets[0].classes if self.sets else ()

    # --- examples to sequences

    def encode(
        self, examples: Sequence[EmbeddingExample], tokenizer: Tokenizer, longest: int
    ) -> list[list[Window]]:
        """Each text as one sequence, cut where it is longer than the model reads; no labels."""
        return self._encoded(examples, tokenizer, longest)[0]

    def _encoded(
        self, examples: Sequence[EmbeddingExample], tokenizer: Tokenizer, longest: int
    ) -> tuple[list[list[Window]], int]:
        """The same, and how many texts are cut."""
        longest = min(longest, self.settings.max_length or longest)
        room = longest - tokenizer.layout.single_cost
        has_sides = sets_sides(self.settings.prompts)
        texts = [
            before + text
            for example in examples
            for before, text in zip(
                prompts_of(self.config, example, has_sides=has_sides), example.texts, strict=True
            )
        ]
        ids = iter(encode_texts(texts, tokenizer))
        found, num_cut = [], 0
        for example in examples:
            whole = list(islice(ids, len(example.texts)))
            num_cut += sum(len(one) > room for one in whole)
            sequences = [tokenizer.layout.single(one[:room]) for one in whole]
            found.append([Window(one, len(one)) for one in sequences])
        return found, num_cut

    def groups(
        self, examples: Sequence[EmbeddingExample], tokenizer: Tokenizer, longest: int
    ) -> list[Group]:
        """The examples of each data set as training reads them, with labels.

        Raises:
            DataError: A label that the loss of its data set cannot take.
        """
        numbers: dict[str, int] = {}
        found = []
        for number, taught in enumerate(self.sets):
            members = [example for example in examples if example.data_set == number]
            passes = taught.kind.passes
            encoded, num_cut = self._encoded(members, tokenizer, longest)
            windows = [
                _with_labels([one for one in whole for _ in range(passes)], self._labels(example))
                for example, whole in zip(members, encoded, strict=True)
            ]
            texts = [
                [numbers.setdefault(text, len(numbers)) for text in example.texts] * passes
                for example in members
            ]
            weight = (self.settings, *self.settings.mix)[number].weight
            is_distinct = taught.kind.uses_ids
            found.append(Group(windows, np.asarray(texts), weight, is_distinct, num_cut))
        return found

    def _labels(self, example: EmbeddingExample) -> dict[str, NDArray[np.generic]]:
        """What the loss is told of an example, as one row."""
        taught = self.sets[example.data_set]
        wanted = taught.kind.labels
        if wanted == "none" or example.label is None:
            return {}
        if wanted == "class":
            return {_TERM: np.array([_class(example, taught.classes)], dtype=np.int64)}
        if wanted == "vectors":  # one for all texts of the example
            return {_TERM: np.array([[example.label]], dtype=np.float32)}
        if wanted == "scores":  # of one margin alone a column may hold just that
            several = isinstance(example.label, tuple)
            given = example.label if several else [number_of(example)]
            return {_TERM: np.array([given], dtype=np.float32)}
        return {_TERM: np.array([number_of(example)], dtype=np.float32)}

    # --- sequences to a loss

    def couples(self, batch: Batch) -> bool:
        """Whether the loss of this batch compares each example with all others."""
        return self._loss(batch.labels).scope == "batch"

    def counts(self, batch: Batch) -> dict[str, float]:
        """Examples."""
        return {_TERM: len(batch.lengths) / batch.group_size}

    def loss(self, outputs: Outputs, batch: Batch) -> list[Term]:
        """The sum over the examples of what each costs."""
        total = self._computed(outputs[self.vectors], batch.labels, batch.group_size).sum()
        return [Term(_TERM, 1.0, total)]

    def whole_loss(self, vectors: Tensor, labels: Mapping[str, Tensor], batch: Batch) -> list[Term]:
        """The loss of a whole batch, see `train.coupled`."""
        return [Term(_TERM, 1.0, self._computed(vectors, labels, batch.group_size))]

    def _loss(self, labels: Mapping[str, Tensor]) -> EmbeddingLoss:
        return self.losses[int(labels["data_set"][0])]

    def _computed(self, vectors: Tensor, labels: Mapping[str, Tensor], size: int) -> Tensor:
        """(G,) or (), from vectors (G * size, E)."""
        loss = self._loss(labels)
        embeddings = vectors.view(-1, size, vectors.shape[-1])  # (G, K, E)
        return loss(embeddings, labels.get(_TERM), labels["texts"].view(-1, size))  # type: ignore[no-any-return]

    # --- vectors to scores

    def results(self, outputs: Outputs, _batch: Batch, /) -> list[Vectors]:
        """(E,) of each sequence."""
        return list(outputs[self.vectors].float().cpu().numpy())

    def merge(
        self, _example: EmbeddingExample, _windows: Sequence[Window], results: Sequence[Vectors], /
    ) -> Vectors:
        """(K, E) of an example's texts."""
        return np.stack(results)

    def decode(self, _example: EmbeddingExample, scores: Vectors, /) -> Prediction:
        """How alike the first text is to each other one."""
        first = np.repeat(scores[:1], len(scores) - 1, axis=0)
        return {"similarities": pairwise(first, scores[1:], self.config.similarity).tolist()}

    def score(
        self, examples: Sequence[EmbeddingExample], scores: Sequence[Vectors]
    ) -> dict[str, float]:
        """How well cosines follow the labels, or how often an anchor finds its positive."""
        return embedding_scores.score(examples, scores, self.config.similarity, self._classes)

    def intervals(
        self, examples: Sequence[EmbeddingExample], scores: Sequence[Vectors], bootstrap: Bootstrap
    ) -> dict[str, Interval]:
        """The same with bootstrap confidence intervals."""
        return embedding_scores.intervals(
            examples, scores, self.config.similarity, bootstrap, self._classes
        )

    def tuned(self, _examples: Sequence[EmbeddingExample], _scores: Sequence[Vectors]) -> Self:
        """Itself: nothing is fitted on validation data."""
        return self


def _class(example: EmbeddingExample, classes: tuple[str, ...]) -> int:
    name = str(example.label)
    if name not in classes:
        raise DataError(
            f"{example.place}: the label {name[:60]!r} is none of training's: {', '.join(classes)}."
        )
    return classes.index(name)


def _with_labels(windows: list[Window], labels: Mapping[str, NDArray[np.generic]]) -> list[Window]:
    """An example's sequences side by side; its label stands with the first."""
    size = len(windows)
    none = {name: label[:0] for name, label in labels.items()}
    return [
        replace(one, labels=none if number else labels, group_size=size)
        for number, one in enumerate(windows)
    ]
