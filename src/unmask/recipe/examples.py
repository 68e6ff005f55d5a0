"""Labelled examples of a run: read, and split where only one file is given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.splitting import split
from unmask.data.randomness import Permutation
from unmask.data.rejects import Rejects
from unmask.errors import DataError
from unmask.recipe.config import Finetune
from unmask.tasks.config import ClassificationConfig
from unmask.tasks.registry import TASKS

SPLIT_SEED = 20181011
"""What is held out does not change with a run's seed, so that seeds compare (BERT's arXiv date)."""


@dataclass(frozen=True)
class Examples:
    """What is trained on and what the best weights are chosen by."""

    train: list[Any]
    validation: list[Any]

    @property
    def sha256(self) -> str:
        """A hash of all examples in their order."""
        digest = hashlib.sha256()
        for example in (*self.train, None, *self.validation):
            fields = None if example is None else {**asdict(example), "place": None}
            digest.update(json.dumps(fields, ensure_ascii=True).encode() + b"\n")
        return digest.hexdigest()


def read(
    task: str, path: Path | str, config: LabelledConfig, kept: Path | None = None
) -> list[Any]:
    """The examples of a file; what cannot be read goes to the file `kept`, with its reason.

    Raises:
        DataError: No example, too many rejects, or a file of another form.
    """
    with Rejects(config.max_reject_rate, kept, setting="--data.max-reject-rate") as rejects:
        examples = list(TASKS[task].read(path, config, rejects))
        rejects.check()
    if kept is not None:
        rejects.warn(kept)
    if not examples:
        raise DataError(f"{path}: holds no example; expected at least one.")
    return examples


def read_both(
    task: str,
    train: Path | str,
    validation: Path | str | None,
    config: LabelledConfig,
    validation_rate: float,
    max_examples: int | None,
    run: Path,
    warn: Callable[[str], None],
) -> Examples:
    """The training examples, and those of the validation file or else a share of the former.

    Raises:
        DataError: See `read`.
    """
    found = read(task, train, config, run / "rejects.jsonl")
    if validation is None:
        kept, held_out = split(found, validation_rate, SPLIT_SEED)
        return Examples(_some(kept, max_examples), held_out)
    found = _some(found, max_examples)
    held_out = read(task, validation, config, run / "validation-rejects.jsonl")
    if shared := _shared(found, held_out):
        warn(
            f"{shared} of {len(held_out)} validation examples are in the training file too, so "
            "its scores flatter; `unmask doctor` names them."
        )
    return Examples(found, held_out)


def reading_config(recipe: Finetune) -> LabelledConfig:
    """How files are read, where a classification's kind says what a label is."""
    if not isinstance(recipe.settings, ClassificationConfig):
        return recipe.data
    labels = {"single": "class", "multi": "multi", "regression": "number"}[recipe.settings.kind]
    return recipe.data.model_copy(update={"labels": labels})


def _some(examples: list[Any], number: int | None) -> list[Any]:
    """So many of them by a fixed shuffle, in their old order."""
    if number is None or number >= len(examples):
        return examples
    chosen = Permutation(len(examples), SPLIT_SEED, 0)(np.arange(number))
    return [examples[i] for i in sorted(chosen.tolist())]


def _shared(train: Sequence[Any], others: Sequence[Any]) -> int:
    """How many have the same content as one to train on, labels apart."""
    known = set(map(_content, train))
    return sum(_content(example) in known for example in others)


def _content(example: Any) -> tuple[Any, ...]:
    names = ("text", "text_pair", "choices", "question", "context")
    return tuple(getattr(example, name, None) for name in names)
