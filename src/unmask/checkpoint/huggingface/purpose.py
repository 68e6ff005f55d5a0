"""What a fine-tuned head is for: its task and labels, in config.json and unmask.json."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from unmask.checkpoint.assemble import FINE_TUNED, task_of
from unmask.checkpoint.huggingface.configuration import CONFIG
from unmask.checkpoint.huggingface.cross_encoder import activation_fields, read_activation
from unmask.checkpoint.huggingface.family import MEAN_POOLED, Family
from unmask.checkpoint.huggingface.labels import (
    checked,
    label_fields,
    numbered,
    read_labels,
    read_problem_type,
    short,
)
from unmask.checkpoint.huggingface.provenance import PROVENANCE, read_provenance
from unmask.errors import DataError
from unmask.tasks.heads import Classifier, PooledClassifier
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.pretraining import restored
from unmask.tasks.replaced_token import ReplacedToken
from unmask.tasks.sentence import HEAD as SENTENCE
from unmask.tasks.task import FineTuned, Model, Task

logger = logging.getLogger(__name__)

_HEADS = {
    "SequenceClassification": "pooled_classifier",
    "TokenClassification": "classifier",
    "QuestionAnswering": "span",
    "MultipleChoice": "pooled_classifier",
    "MeanSequenceClassification": "classifier",
    "MeanMultipleChoice": "classifier",
}
"""Our head by what a task calls its architecture."""
_OF_TEXTS = ("SequenceClassification", "MeanSequenceClassification", None)
_UNLABELLED = {"QuestionAnswering", "MultipleChoice", "MeanMultipleChoice"}
"""Architectures whose answers are no classes; a config may still count two labels by default."""


def purpose_fields(family: Family, model: Model, task: Task | None) -> dict[str, Any]:
    """What config.json says of the heads: architecture, and the labels where there are some."""
    heads = frozenset(model.heads) - {SENTENCE}
    assert not isinstance(task, FineTuned) or task.head in model.heads, (
        "the task needs another head"
    )
    if heads.isdisjoint(FINE_TUNED):
        return {"architectures": [family.architectures[heads]]}
    rows = _num_outputs(model)
    if task is None:
        return {"architectures": [family.architectures[heads]], **label_fields(numbered(rows))}
    assert isinstance(task, FineTuned), "a fine-tuned head needs a task that knows its labels"
    # transformers has no classifier over a mean, nor every class for every family. As the encoder
    # that it is there, it loads the folder without inventing a pooler; unmask.json tells us of the
    # classifier.
    name = class_of(family, task)
    written = name or family.architectures[frozenset()]
    fields: dict[str, Any] = {"architectures": [written], **label_fields(task.labels)}
    if family.pooling_field is not None and task.name in MEAN_POOLED:
        fields[family.pooling_field] = "mean" if task.architecture is None else "cls"
    if task.name == "reranking" and name is not None:
        fields |= activation_fields(task.stored()["activation"])
    assert len(task.labels) in (0, rows), "the task's labels do not fit the head"
    return fields if task.problem_type is None else {**fields, "problem_type": task.problem_type}


def class_of(family: Family, task: FineTuned) -> str | None:
    """transformers' class that answers as the task does, None where this family has none there."""
    kind = task.architecture
    if kind is None and family.pooling_field is not None:  # which says that it reads the mean
        kind = MEAN_POOLED.get(task.name)
    return family.fine_tuned.get(kind or "")


def architecture_of(task: Task | None) -> str | None:
    """What the task calls its architecture, None where it is not fine-tuned or has none."""
    return task.architecture if isinstance(task, FineTuned) else None


def read_architecture(given: Mapping[str, Any], place: str) -> str | None:
    """transformers' class for which a config was written, None where it does not say.

    Raises:
        DataError: Something else stands there.
    """
    names = given.get("architectures")
    if names is None or names == []:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(
            f"{place}: `architectures` is {short(names)}; expected a list with the name of a class."
        )
    return str(names[0])


def read_task(
    folder: Path,
    given: Mapping[str, Any],
    family: Family,
    heads: Collection[str],
    num_outputs: int,
) -> Task | None:
    """What the heads can do: by unmask.json, else by the config `given` and the heads themselves.

    `num_outputs` are the rows of the classifier, 0 where there is none.

    Raises:
        DataError: A broken or an unknown task, or one that the heads or the labels do not fit.
    """
    stored = (read_provenance(folder) or {}).get("task")
    if isinstance(stored, dict) and (pretrained := restored(stored)) is not None:
        return _with_its_heads(folder, pretrained, heads, family)
    if stored is not None:
        return _restored(folder, stored, given, heads, num_outputs)
    name = read_architecture(given, str(folder / CONFIG))
    kind = family.kind_of(name, given)
    found = FINE_TUNED & set(heads)
    if found:
        (head,) = found
        if kind is not None:
            _check_kind(folder, name, kind, head, num_outputs)
        return _foreign(folder, given, head, name, kind, num_outputs)
    if kind is not None:
        logger.warning(
            "%s: config.json names %s, but the weights hold no such head: read without it.",
            folder,
            name,
        )
    return task_of(heads, family.config)


def _check_kind(folder: Path, name: str | None, kind: str, head: str, num_outputs: int) -> None:
    if _HEADS[kind] != head:
        raise DataError(
            f"{folder}: config.json names {name}, which needs a {_HEADS[kind]} head, but the "
            f"weights hold a {head} head. Check that both files come from the same model."
        )
    if kind in ("MultipleChoice", "MeanMultipleChoice") and num_outputs != 1:
        raise DataError(
            f"{folder}: config.json names {name}, which gives one score a choice, but the "
            f"classifier has {num_outputs} rows. Check that both files come from the same model."
        )


def _foreign(
    folder: Path,
    given: Mapping[str, Any],
    head: str,
    name: str | None,
    kind: str | None,
    num_outputs: int,
) -> Task | None:
    from unmask.tasks import registry  # with the metrics of every task; see `_restored`
    from unmask.tasks.reranking import Reranking

    if head == "span" or kind in _UNLABELLED:
        return registry.foreign(head, name, (), None)
    place = str(folder / CONFIG)
    labels = read_labels(given, num_outputs, place) or numbered(num_outputs)
    if kind in _OF_TEXTS and num_outputs == 1 and (score := read_activation(folder, given)):
        return Reranking.foreign(score, "cls" if head == "pooled_classifier" else "mean")
    return registry.foreign(head, name, labels, read_problem_type(given, place))


def _with_its_heads(folder: Path, task: Task, heads: Collection[str], family: Family) -> Task:
    """A task of pretraining; one over pairs whose head is gone is left without them."""
    _require_head(folder, task, "rtd" if isinstance(task, ReplacedToken) else "mlm", heads)
    if isinstance(task, MaskedLM) and (task.pair_term is None) == ("nsp" in heads):
        return task_of(heads, family.config) or task
    return task


def _require_head(folder: Path, task: Task, needed: str, heads: Collection[str]) -> None:
    if needed not in heads:
        raise DataError(
            f"{folder / PROVENANCE}: the task `{task.name}` needs a {needed} head; found: "
            f"{', '.join(sorted(heads)) or 'none'}. Check that the weights are those of this model."
        )


def _restored(
    folder: Path,
    stored: object,
    given: Mapping[str, Any],
    heads: Collection[str],
    num_outputs: int,
) -> Task | None:
    from unmask.tasks import registry  # almost a second, which pretrained models need not pay

    place = folder / PROVENANCE
    if not isinstance(stored, dict):
        raise DataError(f"{place}: `task` is {short(stored)}; expected an object with its name.")
    try:
        task = registry.restore(stored)
    except DataError as error:
        raise DataError(f"{place}: {' '.join(str(error).split())[:1000]}") from error
    assert isinstance(task, FineTuned), "tasks of pretraining were restored before"
    _require_head(folder, task, task.head, heads)
    if num_outputs not in (0, task.num_outputs):
        raise DataError(
            f"{place}: the task `{task.name}` has {task.num_outputs} outputs, but the classifier "
            f"has {num_outputs} rows. Check that the weights are those of this model."
        )
    _check_labels(folder, given, task)
    return task


def _check_labels(folder: Path, given: Mapping[str, Any], task: FineTuned) -> None:
    labels = checked(task.labels, f"{folder / PROVENANCE}: the task `{task.name}`")
    if not labels:
        return
    theirs = read_labels(given, len(labels), str(folder / CONFIG))
    if theirs is None:
        return
    for one, other in zip(theirs, labels, strict=True):
        if one != other:
            raise DataError(
                f"{folder}: the labels differ: config.json (`id2label`) has {short(one)} where "
                f"unmask.json (`task`) has {short(other)}. Make them equal, or delete `task` from "
                "unmask.json to go by config.json alone."
            )


def _num_outputs(model: Model) -> int:
    """Rows of the classifier, 0 where there is none."""
    classifiers = (
        part.classifier
        for part in model.heads.values()
        if isinstance(part, Classifier | PooledClassifier)
    )
    return next((classifier.out_features for classifier in classifiers), 0)
