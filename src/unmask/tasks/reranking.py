"""Cross-encoders: how well a document answers a query, both read together, to put many in order."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Literal, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unmask.batch import Batch
from unmask.data.labelled.examples import RankedExample
from unmask.data.windows import Window
from unmask.errors import DataError
from unmask.nn import pooling
from unmask.tasks import reranking_losses, reranking_scores
from unmask.tasks.encoding import encode_texts
from unmask.tasks.losses import widened
from unmask.tasks.metrics.resampling import Bootstrap, Interval
from unmask.tasks.reranking_config import RerankingConfig
from unmask.tasks.reranking_grades import fitting_loss, grades_of, has_order, require_grades
from unmask.tasks.reranking_losses import RerankingLoss
from unmask.tasks.reranking_windows import TERM, beside, best, covering
from unmask.tasks.task import Outputs, Prediction, Term
from unmask.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

Activation = Literal["sigmoid", "identity", "tanh"]
"""What makes a score of a logit."""
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Reranking:
    """One score for a query with a document, from the encoder's view of both."""

    config: RerankingConfig
    """Its loss is never `auto`."""
    activation: Activation = "sigmoid"
    """What makes a score of a logit; never changes the order."""
    metric: str = "ndcg@10"
    _warnings: set[str] = field(default_factory=set, repr=False, compare=False)
    """Those given, for a run encodes its validation examples at every evaluation."""

    name = "reranking"
    num_outputs = 1
    labels: tuple[str, ...] = ("relevance",)
    problem_type = None

    @property
    def head(self) -> str:
        """As in classification."""
        return "pooled_classifier" if self.config.pooling == "cls" else "classifier"

    @property
    def architecture(self) -> str | None:
        """None for the mean, which most of transformers' classes do not read."""
        return "SequenceClassification" if self.config.pooling == "cls" else None

    @classmethod
    def begin(cls, config: RerankingConfig, examples: Sequence[RankedExample]) -> Self:
        """The task for these training examples, and judged by such as they are.

        Raises:
            DataError: A query without documents or grades, grades that the loss cannot take, or
                nothing to tell apart.
        """
        graded = [grades_of(example) for example in examples]
        metric = reranking_scores.metric_of(examples)
        if config.loss == "auto":
            config = config.model_copy(update={"loss": fitting_loss(graded)})
        require_grades(config.loss, examples)
        loss = reranking_losses.build(config)
        if loss.needs_order and not any(map(has_order, graded)):
            raise DataError(
                f"{examples[0].place}: no query has two documents of different grades, which loss "
                f"{config.loss} compares. Give several documents to a query, or take "
                "--loss binary-cross-entropy or mean-squared-error."
            )
        is_probability = config.loss == "binary-cross-entropy"
        return cls(config, "sigmoid" if is_probability else "identity", metric)

    def judged_by(self, validation: Sequence[RankedExample]) -> Self:
        """The same for other examples to choose the best weights by."""
        return replace(self, metric=reranking_scores.metric_of(validation))

    @classmethod
    def foreign(
        cls, activation: Activation = "sigmoid", pooling: Literal["cls", "mean"] = "cls"
    ) -> Self:
        """The task of a model that another tool wrote."""
        config = RerankingConfig(loss="binary-cross-entropy", pooling=pooling)
        return cls(config, activation)

    @classmethod
    def restore(cls, stored: Mapping[str, Any]) -> Self:
        """From what `stored` gave."""
        config = RerankingConfig.model_validate(stored["config"])
        if config.loss == "auto" or stored["activation"] not in get_args(Activation):
            raise ValueError(f"loss {config.loss} and activation {stored['activation']}")
        return cls(config, stored["activation"], str(stored["metric"]))

    def stored(self) -> dict[str, Any]:
        """The settings, and what makes a score."""
        return {
            "name": self.name,
            "config": self.config.model_dump(mode="json"),
            "activation": self.activation,
            "metric": self.metric,
        }

    # --- training

    def rows(self, batch: Batch) -> Tensor | None:
        """Each sequence's `[CLS]`, or every position for the mean."""
        return batch.starts() if self.config.pooling == "cls" else None

    def outputs(self, heads: nn.ModuleDict, hidden: Tensor, batch: Batch) -> Outputs:
        """(B, 1) logits."""
        vectors = hidden if self.config.pooling == "cls" else pooling.mean(hidden, batch.lengths)
        return {TERM: heads[self.head](vectors)}

    def counts(self, batch: Batch) -> dict[str, float]:
        """Pairs, queries, or pairs of documents of a query, as the loss has it."""
        grades = batch.labels[TERM].view(-1, batch.group_size)
        return {TERM: self._loss.count(grades)}

    def loss(self, outputs: Outputs, batch: Batch) -> list[Term]:
        """The sum over these, see `reranking_losses`."""
        logits = outputs[TERM].view(-1, batch.group_size)  # (queries, documents)
        grades = batch.labels[TERM].view(-1, batch.group_size)
        return [Term(TERM, 1.0, self._loss(logits, grades))]

    # --- examples

    def training_windows(
        self, examples: Sequence[RankedExample], tokenizer: Tokenizer, longest: int
    ) -> list[Window]:
        """The windows to learn from: one a document, those of a query a group if they are compared.

        A query whose documents are graded alike has no order to be learned, and is left out then.
        """
        kept = list(examples)
        if self._loss.needs_order:
            kept = [example for example in examples if has_order(grades_of(example))]
            if len(kept) < len(examples):
                logger.warning(
                    "%d of %d queries are left out of training: all their documents are graded "
                    "alike, so that loss %s has nothing to compare.",
                    len(examples) - len(kept),
                    len(examples),
                    self.config.loss,
                )
        first = replace(self, config=self.config.model_copy(update={"windows": "first"}))
        return list(chain.from_iterable(first.encode(kept, tokenizer, longest)))

    def encode(
        self, examples: Sequence[RankedExample], tokenizer: Tokenizer, longest: int
    ) -> list[list[Window]]:
        """`[CLS]` query `[SEP]` document `[SEP]`, the document as segment 1; one after another.

        Where both do not fit, the longer one is cut, down to the other's length, as transformers
        does it; or the document is windowed, see `RerankingConfig.windows`.

        Raises:
            DataError: A query without documents, or with grades that are no numbers.
        """
        longest = min(longest, self.config.max_length or longest)
        room = longest - tokenizer.layout.pair_cost
        queries = encode_texts([example.query for example in examples], tokenizer)
        every = [document for example in examples for document in example.documents]
        documents = iter(encode_texts(every, tokenizer))
        encoded: list[list[Window]] = []
        num_cut = 0
        for example, query in zip(examples, queries, strict=True):
            if not example.documents:
                raise DataError(f"{example.place}: the query has no documents; expected some.")
            own = [next(documents) for _ in example.documents]
            num_cut += sum(len(query) + len(document) > room for document in own)
            if self.config.windows == "best":
                windows = covering(query, own, tokenizer.layout, room, self.config.stride)
            else:
                grades = None if example.grades is None else grades_of(example)
                windows = beside(query, own, grades, tokenizer.layout, room)
            size = len(windows) if self._loss.needs_order else 1
            encoded.append([replace(window, group_size=size) for window in windows])
        if self.config.windows == "first":
            self._warn_of_cut(num_cut, len(every), longest)
        return encoded

    def results(self, outputs: Outputs, _batch: Batch, /) -> list[NDArray[np.float32]]:
        """(1,) the logit of each sequence."""
        return list(widened(outputs[TERM]).cpu().numpy())

    def merge(
        self, _example: RankedExample, windows: Sequence[Window], results: Sequence[Floats], /
    ) -> Floats:
        """(D,) the logit of each document, the best of its windows."""
        logits: Floats = np.concatenate(results)
        return best(windows, logits) if self.config.windows == "best" else logits

    def decode(self, _example: RankedExample, scores: Floats, /) -> Prediction:
        """The `score`; of several documents a `ranking`, as `CrossEncoder.rank` gives it."""
        found = self.activated(scores).tolist()
        if len(found) == 1:
            return {"score": found[0]}
        order = np.argsort(-np.asarray(scores), kind="stable").tolist()
        return {"ranking": [{"corpus_id": i, "score": found[i]} for i in order]}

    def activated(self, logits: Floats) -> NDArray[np.float32]:
        """(D,) scores of logits."""
        made = torch.from_numpy(np.array(logits, dtype=np.float32))
        if self.activation != "identity":
            made = made.sigmoid() if self.activation == "sigmoid" else made.tanh()
        scores: NDArray[np.float32] = made.numpy()
        return scores

    def score(
        self, examples: Sequence[RankedExample], scores: Sequence[Floats]
    ) -> dict[str, float]:
        """See `reranking_scores.score`."""
        return reranking_scores.score(examples, scores)

    def intervals(
        self, examples: Sequence[RankedExample], scores: Sequence[Floats], bootstrap: Bootstrap
    ) -> dict[str, Interval]:
        """The same with bootstrap intervals."""
        return reranking_scores.intervals(examples, scores, bootstrap)

    def tuned(self, _examples: Sequence[RankedExample], _scores: Sequence[Floats]) -> Self:
        """Itself: nothing is fitted on validation data."""
        return self

    @property
    def _loss(self) -> RerankingLoss:
        return reranking_losses.build(self.config)

    def _warn_of_cut(self, num_cut: int, num_documents: int, longest: int) -> None:
        """Says once that documents lose their ends, in this task and in its copies."""
        if not num_cut or "cut" in self._warnings:
            return
        self._warnings.add("cut")
        logger.warning(
            "%d of %d documents do not fit into %d tokens beside their query, and were cut; "
            "windows best reads them whole.",
            num_cut,
            num_documents,
            longest,
        )
