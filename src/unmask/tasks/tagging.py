"""Tagging of words: named entities, parts of speech."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unmask.batch import IGNORED, Batch
from unmask.data.labelled.examples import TaggedExample
from unmask.data.labelled.grammar import known
from unmask.data.windows import Window
from unmask.tasks import losses, tag_sets
from unmask.tasks.aggregation import Floats, by_word, entities, reads_all_pieces
from unmask.tasks.config import TaggingConfig
from unmask.tasks.metrics import spans
from unmask.tasks.metrics.resampling import Bootstrap, Interval
from unmask.tasks.tag_decoding import TagDecoder
from unmask.tasks.task import Outputs, Prediction, Term
from unmask.tasks.words import WordWindow, encode_words, windows
from unmask.text.tokenizer import Tokenizer

_TERM = "tagging"
_READ = "words"
"""No loss term: (N,) the number of the word at each position that is read, IGNORED at others."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Tagging:
    """A linear layer over each word's first piece (Devlin et al. 2019, section 5.3)."""

    config: TaggingConfig
    labels: tuple[str, ...]
    scheme: str
    """`iob1`, `iob2`, `bioes` or `plain`."""

    name = "tagging"
    head = "classifier"
    architecture = "TokenClassification"
    problem_type = None

    @classmethod
    def begin(cls, config: TaggingConfig, examples: Sequence[TaggedExample]) -> Self:
        """The task for these training examples; their scheme is detected where none is set.

        Raises:
            DataError: Untagged examples, tags of no scheme, or nothing to tell apart.
        """
        scheme = tag_sets.scheme_of(examples) if config.scheme == "auto" else config.scheme
        labels = tag_sets.labels_of(examples, scheme)
        tag_sets.warn_of_illegal(examples, scheme)
        return cls(config, labels, scheme)

    @classmethod
    def foreign(cls, labels: tuple[str, ...]) -> Self:
        """The task of a model that another tool wrote."""
        return cls(TaggingConfig(), labels, tag_sets.scheme_of_labels(labels))

    @classmethod
    def restore(cls, stored: Mapping[str, Any]) -> Self:
        """From what `stored` gave."""
        config = TaggingConfig.model_validate(stored["config"])
        return cls(config, tuple(map(str, stored["labels"])), known(stored["scheme"]))

    def stored(self) -> dict[str, Any]:
        """The settings, the labels and their scheme."""
        return {
            "name": self.name,
            "config": self.config.model_dump(mode="json"),
            "labels": list(self.labels),
            "scheme": self.scheme,
        }

    @property
    def num_outputs(self) -> int:
        """K."""
        return len(self.labels)

    @property
    def metric(self) -> str:
        """F1 of spans, or accuracy of plain tags."""
        return "accuracy" if self.scheme == "plain" else "f1"

    # --- training

    def rows(self, batch: Batch) -> Tensor:
        """Each word's first piece, or all its pieces where these are trained on or averaged."""
        return (batch.labels[_READ] != IGNORED).nonzero().squeeze(1)

    def outputs(self, heads: nn.ModuleDict, hidden: Tensor, _batch: Batch, /) -> Outputs:
        """(M, K) logits of the rows."""
        return {_TERM: heads[self.head](hidden)}

    def counts(self, batch: Batch) -> dict[str, float]:
        """Pieces that have a label."""
        return {_TERM: losses.weight_of(batch.labels[_TERM])}

    def loss(self, outputs: Outputs, batch: Batch) -> list[Term]:
        """The summed cross-entropy."""
        labels = batch.labels[_TERM][self.rows(batch)]
        return [Term(_TERM, 1.0, losses.cross_entropy(outputs[_TERM], labels))]

    # --- examples

    def encode(
        self, examples: Sequence[TaggedExample], tokenizer: Tokenizer, longest: int
    ) -> list[list[Window]]:
        """`[CLS]` words `[SEP]`; in a long text each word is in one window alone labelled and read.

        Raises:
            DataError: A tag that training did not have.
        """
        longest = min(longest, self.config.max_length or longest)
        encoded: list[list[Window]] = []
        for example, words in zip(examples, encode_words(examples, tokenizer), strict=True):
            parts = windows(words, tokenizer.layout, longest, self.config.stride)
            numbers = self._numbers(example)
            encoded.append([self._labelled(part, numbers) for part in parts])
        return encoded

    def results(self, outputs: Outputs, batch: Batch, /) -> list[Floats]:
        """(M, K) log-probabilities at each sequence's rows."""
        scores = torch.log_softmax(losses.widened(outputs[_TERM]), dim=-1).cpu().numpy()
        ends = np.cumsum([0, *batch.lengths])
        cuts = np.searchsorted(self.rows(batch).cpu().numpy(), ends[1:-1])
        return np.split(scores, cuts)

    def merge(
        self, example: TaggedExample, parts: Sequence[Window], results: Sequence[Floats], /
    ) -> Floats:
        """(W, K) log-probabilities of each word's tags, see `aggregation.by_word`."""
        marks = np.concatenate([part.labels[_READ] for part in parts])
        scores = np.concatenate(results)
        words = marks[marks != IGNORED]
        return by_word(scores, words, len(example.words), self.config.aggregation)

    def decode(self, example: TaggedExample, scores: Floats, /) -> Prediction:
        """`words` and their `tags`, and the `entities` that these are, see `aggregation`."""
        numbers = self._decoder.best(scores)
        tags = self._decoder.tags(numbers)
        sure = np.exp(scores[np.arange(len(scores)), numbers]).tolist()
        return {
            "words": [example.text[start:end] for start, end in example.words],
            "tags": tags,
            "entities": entities(example, tags, sure, self.scheme, self.config.aggregation),
        }

    def score(
        self, examples: Sequence[TaggedExample], scores: Sequence[Floats]
    ) -> dict[str, float]:
        """See `metrics.spans`; of plain tags each word but those of `O` is a span."""
        return self._kept(spans.scores(*self._both(examples, scores), self.scheme))

    def intervals(
        self, examples: Sequence[TaggedExample], scores: Sequence[Floats], bootstrap: Bootstrap
    ) -> dict[str, Interval]:
        """The same over resampled sentences."""
        found = spans.score_intervals(*self._both(examples, scores), self.scheme, bootstrap)
        return self._kept(found)

    def tuned(self, _examples: Sequence[TaggedExample], _scores: Sequence[Floats], /) -> Self:
        """As it is."""
        return self

    @cached_property
    def _decoder(self) -> TagDecoder:
        labels = tuple(tag_sets.spelled(self.labels, self.scheme))
        return TagDecoder(labels, self.scheme, self.config.decoding)

    @cached_property
    def _by_label(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self._decoder.labels)}

    @cached_property
    def _continuations(self) -> Numbers:
        return tag_sets.continuations(self._decoder.labels, self.scheme)

    def _numbers(self, example: TaggedExample) -> Numbers | None:
        if example.tags is None:
            return None
        return tag_sets.tag_numbers(example, self._by_label, self.scheme)

    def _labelled(self, part: WordWindow, numbers: Numbers | None) -> Window:
        labels = np.full(len(part.input_ids), IGNORED)
        if numbers is not None:
            labels[part.is_first] = numbers[part.words[part.is_first]]
            if self.config.subwords == "all":
                later = (part.words != IGNORED) & ~part.is_first
                labels[later] = self._continuations[numbers[part.words[later]]]
        is_read = part.is_first
        if self.config.subwords == "all" or reads_all_pieces(self.config.aggregation):
            is_read = part.words != IGNORED
        read = np.where(is_read, part.words, IGNORED)
        return Window(part.input_ids, len(part.input_ids), {_TERM: labels, _READ: read})

    def _both(
        self, examples: Sequence[TaggedExample], scores: Sequence[Floats]
    ) -> tuple[list[list[str]], list[list[str]]]:
        """Given and predicted tags."""
        given = [tag_sets.spelled(tag_sets.given_tags(one), self.scheme) for one in examples]
        decoder = self._decoder
        return given, [decoder.tags(decoder.best(one)) for one in scores]

    def _kept(self, figures: dict[str, Any]) -> dict[str, Any]:
        """Plain tags have no strict reading of their own."""
        if self.scheme != "plain":
            return figures
        return {name: v for name, v in figures.items() if not name.startswith("strict_")}
