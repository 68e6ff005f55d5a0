"""Every task by its name: how it begins with examples, and how it comes back from a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from unmask.data.labelled import reading
from unmask.data.labelled.config import LabelledConfig
from unmask.data.rejects import Rejects
from unmask.errors import DataError
from unmask.tasks.classification import Classification
from unmask.tasks.config import (
    ClassificationConfig,
    MultipleChoiceConfig,
    QuestionAnsweringConfig,
    TaggingConfig,
)
from unmask.tasks.embedding import Embedding
from unmask.tasks.embedding_config import EmbeddingConfig
from unmask.tasks.multiple_choice import MultipleChoice
from unmask.tasks.pretraining import NAMES, restored
from unmask.tasks.qa import QuestionAnswering
from unmask.tasks.reranking import Reranking
from unmask.tasks.reranking_config import RerankingConfig
from unmask.tasks.tagging import Tagging
from unmask.tasks.targets.number import Number
from unmask.tasks.task import LabelledTask, Task


@dataclass(frozen=True)
class Kind:
    """What is known of a task before there are examples or weights."""

    config: type[BaseModel]
    """Its settings."""
    read: Callable[[Path | str, LabelledConfig, Rejects], Iterator[Any]]
    """The examples of a file."""
    begin: Callable[[Any, Sequence[Any]], LabelledTask[Any, Any]]
    """The task with these settings for these training examples."""
    restore: Callable[[Mapping[str, Any]], LabelledTask[Any, Any]] | None
    """From what `stored` gave; None where a folder says it in files of its own."""


TASKS: dict[str, Kind] = {
    "classification": Kind(
        ClassificationConfig, reading.read_texts, Classification.begin, Classification.restore
    ),
    "multiple-choice": Kind(
        MultipleChoiceConfig, reading.read_choices, MultipleChoice.begin, MultipleChoice.restore
    ),
    "tagging": Kind(TaggingConfig, reading.read_tagged, Tagging.begin, Tagging.restore),
    "qa": Kind(
        QuestionAnsweringConfig,
        reading.read_questions,
        QuestionAnswering.begin,
        QuestionAnswering.restore,
    ),
    "embedding": Kind(EmbeddingConfig, reading.read_sentences, Embedding.begin, None),
    "reranking": Kind(RerankingConfig, reading.read_ranked, Reranking.begin, Reranking.restore),
}


def restore(stored: Mapping[str, Any]) -> Task:
    """The task that a folder keeps.

    Raises:
        DataError: An unknown name, one whose folder says it elsewhere, or fields that do not make
            the task.
    """
    if (pretraining := restored(stored)) is not None:
        return pretraining
    name = stored.get("name")
    kind = TASKS.get(str(name))
    if kind is None:
        raise _no_task(stored, f"there is none of the name {str(name)[:60]!r}")
    if kind.restore is None:
        raise _no_task(stored, "a sentence encoder's folder says it by modules.json instead")
    try:
        return kind.restore(stored)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _no_task(stored, " ".join(str(error).split())[:200]) from error


def _no_task(stored: Mapping[str, Any], cause: str) -> DataError:
    return DataError(
        f"unmask.json: `task` is {str(stored)[:200]}, which is none of "
        f"{', '.join((*NAMES, *TASKS))} as they are written here ({cause})."
    )


def foreign(
    head: str, architecture: str | None, labels: tuple[str, ...], problem_type: str | None
) -> Task | None:
    """The task of a model that another tool wrote, with default settings; None if there is none.

    `head` is a name of `tasks.heads`, `architecture` that of transformers' class.
    """
    if head == "pooled_classifier":
        if (architecture or "").endswith("ForMultipleChoice"):
            return MultipleChoice.foreign()
        return Classification.foreign(labels, problem_type)
    if head == "span":
        return QuestionAnswering.foreign()
    if head == "classifier":
        kind = (architecture or "").rpartition("For")[2]
        if kind == "TokenClassification":
            return Tagging.foreign(labels)
        if kind == "SequenceClassification":
            return Classification.foreign(labels, problem_type, pooling="mean")
        if kind == "MultipleChoice":
            return MultipleChoice.foreign(pooling="mean")
    return None


def as_reranker(task: Task | None) -> Reranking | None:
    """The task as one of rankings, if it gives a text with another one number.

    A model that another tool wrote may be a cross-encoder without saying so; then its scores are
    sigmoids, as sentence-transformers has them.
    """
    if isinstance(task, Reranking):
        return task
    if isinstance(task, Classification) and isinstance(task.targets, Number):
        return None if task.pairs is False else Reranking.foreign(pooling=task.config.pooling)
    return None
