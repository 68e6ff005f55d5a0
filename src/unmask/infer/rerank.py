"""A cross-encoder that puts documents in order, as search and its users ask it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import RankedExample
from unmask.errors import DataError, UsageError
from unmask.infer.asking import ranked_of
from unmask.tasks.predicting import raw_scores
from unmask.tasks.registry import as_reranker
from unmask.tasks.reranking import Floats, Reranking

Windows = Literal["first", "best"]
_DOCUMENTS_AT_ONCE = 512
"""Of one query, encoded together with its tokens."""


@dataclass(frozen=True)
class Reranker:
    """A model that scores how well documents answer a query; pairs go by length, in batches."""

    bundle: Bundle
    task: Reranking

    @classmethod
    def of(cls, bundle: Bundle, windows: Windows | None = None) -> Self:
        """By the model's own settings, or with other `windows` of long documents.

        A model that another tool wrote and that gives a pair one number counts too, as it does in
        sentence-transformers.

        Raises:
            UsageError: The model gives no such number, or no such way of reading.
            DataError: The bundle has no tokenizer.
        """
        bundle.require_tokenizer()
        task = as_reranker(bundle.task)
        if task is None:
            found = "no task" if bundle.task is None else f"the task `{bundle.task.name}`"
            raise UsageError(
                f"{bundle.name}: has {found}; ranking needs a cross-encoder, which gives a query "
                "with a document one score. `unmask finetune reranking` trains one."
            )
        if windows not in (None, "first", "best"):
            raise UsageError(f"windows: {windows!r} is not there; expected 'first' or 'best'.")
        if windows is not None:
            update = {"windows": windows, "stride": task.config.stride}
            task = replace(task, config=task.config.model_copy(update=update))
        return cls(bundle, task)

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.bundle.name

    def rank(self, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N,) how well each text answers the query, more is better; as `CrossEncoder.predict`."""
        return self.task.activated(self.logits(query, texts))

    def predict(self, pairs: Iterable[Sequence[str] | Mapping[str, Any]]) -> NDArray[np.float32]:
        """(N,) scores of pairs of a query and a document, in order or by these names.

        Raises:
            UsageError: Something that is no such pair.
            DataError: A part of a pair that is no text.
        """
        examples = [_pair(number, pair) for number, pair in enumerate(pairs, 1)]
        return self.task.activated(self._scored(examples))

    def logits(self, query: str, texts: Sequence[str]) -> Floats:
        """(N,) what scores are made of, where close ones do not tie."""
        if isinstance(texts, str):
            raise UsageError("the documents are one text; expected a list of them.")
        _require_text(query, "the query")
        for number, text in enumerate(texts, 1):
            _require_text(text, f"document {number}")
        parts = [
            tuple(texts[start : start + _DOCUMENTS_AT_ONCE])
            for start in range(0, len(texts), _DOCUMENTS_AT_ONCE)
        ]
        examples = [RankedExample("1", query, part, None, "the query") for part in parts]
        return self._scored(examples)

    def _scored(self, examples: Sequence[RankedExample]) -> Floats:
        found = raw_scores(
            self.bundle.model,
            self.task,
            examples,
            self.bundle.require_tokenizer(),
            self.bundle.max_length,
        )
        scores = [scores for _, scores in found]
        return np.concatenate(scores) if scores else np.empty(0, dtype=np.float32)


def _pair(number: int, pair: Sequence[str] | Mapping[str, Any]) -> RankedExample:
    if isinstance(pair, Mapping):
        example = ranked_of(number, pair)
        if "documents" in pair:
            raise UsageError(
                f"input {number}: has `documents`, expected one `document` of each input: give a "
                "query with documents by itself, or ask `rank`."
            )
        return example
    if isinstance(pair, str) or len(pair) != 2:
        raise UsageError(f"input {number}: is {pair!r:.80}; expected a query and a document.")
    query, document = pair
    _require_text(query, f"input {number}: the query")
    _require_text(document, f"input {number}: the document")
    return RankedExample(str(number), query, (document,), None, f"input {number}")


def _require_text(text: object, place: str) -> None:
    """Raises DataError for anything else."""
    if not isinstance(text, str):
        raise DataError(f"{place} is of type {type(text).__name__}; expected a text.")
