"""Extractive question answering: the span of a context that answers a question (SQuAD 1.1, 2.0)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from unmask.batch import Batch
from unmask.data.labelled.examples import QuestionExample
from unmask.data.windows import Window
from unmask.errors import DataError
from unmask.tasks import qa_scores
from unmask.tasks.config import QuestionAnsweringConfig
from unmask.tasks.encoding import encode_texts
from unmask.tasks.losses import widened
from unmask.tasks.metrics import squad
from unmask.tasks.metrics.resampling import Bootstrap, Interval
from unmask.tasks.qa_scores import ALWAYS, require_known
from unmask.tasks.qa_spans import Floats, SpanScores, best_spans, span_cross_entropy
from unmask.tasks.qa_windows import (
    END,
    NO_SPAN,
    START,
    Span,
    encode_contexts,
    question_room,
    token_span,
    windows_of,
)
from unmask.tasks.task import Outputs, Prediction, Term
from unmask.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

_LOGITS = "span"


@dataclass(frozen=True)
class QuestionAnswering:
    """Two scores for each token, of an answer's start and end (Devlin et al. 2019, 4.2 and 4.3)."""

    config: QuestionAnsweringConfig
    _warnings: set[str] = field(default_factory=set, repr=False, compare=False)
    """Those given, for a run encodes its validation examples at every evaluation."""

    name = "qa"
    head = "span"
    num_outputs = 2
    labels: tuple[str, ...] = ()
    problem_type = None
    architecture = "QuestionAnswering"
    metric = "f1"

    @classmethod
    def begin(cls, config: QuestionAnsweringConfig, examples: Sequence[QuestionExample]) -> Self:
        """The task for these training examples, which say whether a question may have no answer.

        Raises:
            DataError: A question whose answers are not known, or that has none where all should.
        """
        for example in examples:
            require_known(example)
        impossible = [example for example in examples if not example.answers]
        if impossible and config.unanswerable is False:
            raise DataError(
                f"{impossible[0].place}: has no answer, nor have {len(impossible) - 1} others of "
                f"{len(examples)} questions, but `unanswerable` is off. Leave it out, or leave "
                "these questions out."
            )
        if config.unanswerable is None:
            config = config.model_copy(update={"unanswerable": bool(impossible)})
        return cls(config)

    @classmethod
    def foreign(cls) -> Self:
        """The task of a model that another tool wrote; as in transformers, it always answers."""
        return cls(QuestionAnsweringConfig(unanswerable=False))

    @classmethod
    def restore(cls, stored: Mapping[str, Any]) -> Self:
        """From what `stored` gave."""
        return cls(QuestionAnsweringConfig.model_validate(stored["config"]))

    def stored(self) -> dict[str, Any]:
        """The settings, the threshold among them."""
        return {"name": self.name, "config": self.config.model_dump(mode="json")}

    # --- training

    def rows(self, _batch: Batch) -> Tensor | None:
        """All."""
        return None

    def outputs(self, heads: nn.ModuleDict, hidden: Tensor, _batch: Batch) -> Outputs:
        """(N, 2) logits of start and end."""
        return {_LOGITS: heads[self.head](hidden)}

    def counts(self, batch: Batch) -> dict[str, float]:
        """Windows."""
        return {name: float(batch.labels[name].numel()) for name in (START, END)}

    def loss(self, outputs: Outputs, batch: Batch) -> list[Term]:
        """The summed cross-entropies of start and end, each among the tokens of its window."""
        logits, lengths = outputs[_LOGITS], batch.lengths
        return [
            Term(name, 0.5, span_cross_entropy(logits[:, i], batch.labels[name], lengths))
            for i, name in enumerate((START, END))
        ]

    # --- examples

    def encode(
        self, examples: Sequence[QuestionExample], tokenizer: Tokenizer, longest: int
    ) -> list[list[Window]]:
        """`[CLS]` question `[SEP]` context `[SEP]`, with places in the context's code points.

        The label is the first of several answers, in every window that holds it whole; in the
        others it is `[CLS]`, also where every question has an answer (`run_squad.py`).
        """
        longest = min(longest, self.config.max_length or longest)
        most = question_room(longest, self.config.max_question_length, tokenizer.layout)
        questions = encode_texts([example.question for example in examples], tokenizer)
        contexts = encode_contexts((example.context for example in examples), tokenizer)
        encoded: list[list[Window]] = []
        for example, question in zip(examples, questions, strict=True):
            context = contexts[example.context]
            answer: Span | None = NO_SPAN if example.is_impossible else None
            if example.answers:
                answer = token_span(context.places, example.answers[0])
            layout, stride = tokenizer.layout, self.config.stride
            encoded.append(windows_of(question[:most], context, answer, layout, longest, stride))
        self._warn_of_cut(sum(len(question) > most for question in questions), len(examples), most)
        return encoded

    def results(self, outputs: Outputs, batch: Batch, /) -> list[NDArray[np.float32]]:
        """(T, 2) logits of each sequence."""
        logits = widened(outputs[_LOGITS]).cpu().numpy()
        return np.split(logits, np.cumsum(batch.lengths)[:-1])

    def merge(
        self, _example: QuestionExample, windows: Sequence[Window], results: Sequence[Floats], /
    ) -> SpanScores:
        """The best spans over all windows."""
        return best_spans(windows, results, self.config.n_best, self.config.max_answer_length)

    def decode(self, example: QuestionExample, scores: SpanScores, /) -> Prediction:
        """`answer`, `score`, `start` and `end` in code points of the context, and `n_best` of such.

        No answer is the empty one at 0, if questions may have none. `no_answer_score` says by how
        many logits it beats the best span, and is what the threshold is for.
        """
        places, shares = scores.candidates(no_answer=self._threshold != ALWAYS)
        found = [
            {"answer": example.context[start:end], "score": share, "start": start, "end": end}
            for (start, end), share in zip(places.tolist(), shares.tolist(), strict=True)
        ]
        chosen = found[0] if scores.is_answer(self._threshold) else found[-1]
        n_best = sorted(found, key=lambda one: -one["score"])
        return {**chosen, "no_answer_score": scores.null_odds, "n_best": n_best}

    def predictions(
        self, examples: Sequence[QuestionExample], scores: Sequence[SpanScores]
    ) -> dict[str, str]:
        """Each question's answer by its id, empty for none: what SQuAD's official script reads."""
        return qa_scores.predictions(examples, scores, self._threshold)

    def score(
        self, examples: Sequence[QuestionExample], scores: Sequence[SpanScores]
    ) -> dict[str, float]:
        """See `qa_scores.report`."""
        return qa_scores.report(examples, scores, self._threshold)

    def intervals(
        self,
        examples: Sequence[QuestionExample],
        scores: Sequence[SpanScores],
        bootstrap: Bootstrap,
    ) -> dict[str, Interval]:
        """Those of all questions, of those with and without an answer, and of each type."""
        graded = qa_scores.graded(examples, scores, self._threshold)
        return squad.score_intervals(graded, bootstrap)

    def tuned(self, examples: Sequence[QuestionExample], scores: Sequence[SpanScores]) -> Self:
        """With the threshold of the best F1, if questions may have no answer."""
        if self._threshold == ALWAYS:
            return self
        best = qa_scores.tuned_threshold(examples, scores)
        found = {"no_answer_threshold": best.threshold}
        return replace(self, config=self.config.model_copy(update=found))

    def _warn_of_cut(self, num_cut: int, num_questions: int, most: int) -> None:
        """Says once that questions lose their ends, in this task and in its tuned copies."""
        if not num_cut or "cut" in self._warnings:
            return
        self._warnings.add("cut")
        logger.warning(
            "%d of %d questions were cut to %d tokens; a larger max_question_length, in a larger "
            "max_length, reads more of them.",
            num_cut,
            num_questions,
            most,
        )

    @property
    def _threshold(self) -> float:
        return self.config.no_answer_threshold if self.config.unanswerable else ALWAYS
