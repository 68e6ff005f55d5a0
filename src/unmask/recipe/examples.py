"""Labelled examples of a run: read, and split where only one file is given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import BaseModel

from unmask.checkpoint import native
from unmask.data.finding import Finding
from unmask.data.labelled import mistaken, objects
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.doctor import examine, examine_reading
from unmask.data.labelled.overlap import core
from unmask.data.labelled.splitting import split
from unmask.data.randomness import Permutation
from unmask.data.rejects import Rejects
from unmask.errors import DataError, UsageError
from unmask.recipe.together import REJECTS
from unmask.tasks.config import ClassificationConfig
from unmask.tasks.embedding_config import EmbeddingConfig
from unmask.tasks.length_config import LengthConfig
from unmask.tasks.registry import TASKS

SPLIT_SEED = 20181011
"""What is held out does not change with a run's seed, so that seeds compare (BERT's arXiv date)."""
Labelled = Path | str | objects.Rows
"""A file of examples, or rows: a `datasets.Dataset`, or dicts, or tuples."""
_OF_ROWS: Final[dict[str, Callable[..., Iterator[Any]]]] = {
    "classification": objects.texts_of,
    "multiple-choice": objects.choices_of,
    "tagging": objects.tagged_of,
    "qa": objects.questions_of,
    "embedding": objects.sentences_of,
    "reranking": objects.ranked_of,
}
_LABELS: Final = {"single": "class", "multi": "multi", "regression": "number"}
"""What a label is, by the kind of a classification."""


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


def read(task: str, given: Labelled, config: LabelledConfig, kept: Path | None = None) -> list[Any]:
    """The examples of a file or of rows; what cannot be read goes to the file `kept`, with its why.

    Without `kept`, a warning names the first of it. Several processes let the first one read: two
    would write the same list at once.

    Raises:
        DataError: No example, too many rejects, or a file of another form.
    """
    with Rejects(config.max_reject_rate, kept, setting="--data.max-reject-rate") as rejects:
        if isinstance(given, str | Path):
            examples = list(TASKS[task].read(given, config, rejects))
        else:
            examples = list(_OF_ROWS[task](given, config, rejects))
        rejects.check()
    name = given if isinstance(given, str | Path) else "data"
    if kept is not None:
        rejects.warn(kept)
    else:
        rejects.warn_of_first(name)
    if not examples:
        raise DataError(f"{name}: holds no example; expected at least one.")
    return examples


def read_both(
    task: str,
    train: Labelled,
    validation: Labelled | None,
    config: LabelledConfig,
    validation_rate: float,
    max_examples: int | None,
    run: Path,
    warn: Callable[[str], None],
) -> Examples:
    """The training examples, and those to validate on or else a share of the former.

    Raises:
        DataError: See `read`.
    """
    found = read(task, train, config, run / REJECTS)
    _warn_of_another_task(train, found, warn)
    if validation is None:
        kept, held_out = split(found, validation_rate, SPLIT_SEED)
        return Examples(_some(kept, max_examples), held_out)
    found = _some(found, max_examples)
    held_out = read(task, validation, config, run / f"validation-{REJECTS}")
    warn_of_shared("validation", held_out, found, warn)
    return Examples(found, held_out)


def _warn_of_another_task(
    given: Labelled, examples: Sequence[Any], warn: Callable[[str], None]
) -> None:
    """Says where a file looks like one for another task, as `unmask doctor` does."""
    name = str(given) if isinstance(given, str | Path) else "data"
    for finding in mistaken.about({name: examples}):
        warn(f"warning: {finding.what}: {finding.why}. To mend it: {finding.fix}.")


def warn_of_shared(
    name: str, some: Sequence[Any], others: Sequence[Any], warn: Callable[[str], None]
) -> None:
    """Says how many of `some`, the `name` examples, are among those that are learned from."""
    if shared := _shared(others, some):
        warn(
            f"{shared} of {len(some)} {name} examples are among those learned from too, so their "
            "scores flatter; `unmask doctor` names them."
        )


def mixed(settings: LengthConfig, config: LabelledConfig, run: Path) -> list[Any]:
    """The examples of the data sets that an embedding mixes in, each with the set's number.

    Raises:
        DataError: See `read`.
    """
    if not isinstance(settings, EmbeddingConfig):
        return []
    found = []
    for number, given in enumerate(settings.mix, 1):
        some = read("embedding", given.path, given.reading(config), run / f"mix-{number}-{REJECTS}")
        found += [replace(example, data_set=number) for example in some]
    return found


def reading_config(settings: BaseModel, data: LabelledConfig) -> LabelledConfig:
    """How files are read, where a classification's kind says what a label is.

    Raises:
        UsageError: The data's own setting says something else.
    """
    if not isinstance(settings, ClassificationConfig):
        return data
    labels = _LABELS[settings.kind]
    if "labels" in data.model_fields_set and data.labels != labels:
        fitting = [kind for kind, known in _LABELS.items() if known == data.labels]
        hint = f", or fine-tune with --kind {fitting[0]}" if fitting else ""
        raise UsageError(
            f"--data.labels {data.labels}: a classification of the kind `{settings.kind}` reads "
            f"its labels as `{labels}`. The kind alone says what a label is: leave --data.labels "
            f"out{hint}."
        )
    return data.model_copy(update={"labels": labels})


def examined(
    task: str,
    train: Path,
    others: Sequence[Path],
    config: LabelledConfig,
    model: Path | str | None,
) -> list[Finding]:
    """What is wrong or unwise about labelled examples; a model's limit and vocabulary count too.

    Raises:
        UsageError: A file is named twice, or the model is an experiment's control.
        DataError: No example in a file, or one that cannot be read at all.
    """
    _refuse_repeats((train, *others))
    found: list[Finding] = []

    def read_all(path: Path) -> list[Any]:
        with Rejects(1.0, setting="--data.max-reject-rate") as rejects:
            examples = list(TASKS[task].read(path, config, rejects))
        found.extend(examine_reading(str(path), rejects, config.max_reject_rate))
        return examples

    learned = read_all(train)
    held_out = {str(path): read_all(path) for path in others}
    bundle = None if model is None else native.load(model)
    if bundle is not None:
        bundle.refuse_control()
    tokenizer = None if bundle is None else bundle.require_tokenizer()
    longest = None if bundle is None else bundle.max_length
    return found + examine(learned, held_out, tokenizer, longest)


def _refuse_repeats(paths: Sequence[Path]) -> None:
    """Says which file is named twice, for examples cannot be held out of themselves."""
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise UsageError(f"{path}: is named twice; expected each file once.")
        seen.add(path.resolve())


def _some(examples: list[Any], number: int | None) -> list[Any]:
    """So many of them by a fixed shuffle, in their old order."""
    if number is None or number >= len(examples):
        return examples
    chosen = Permutation(len(examples), SPLIT_SEED, 0)(np.arange(number))
    return [examples[i] for i in sorted(chosen.tolist())]


def _shared(train: Sequence[Any], others: Sequence[Any]) -> int:
    """How many are the same as one to train on, see `overlap.core`."""
    known = set(map(core, train))
    return sum(core(example) in known for example in others)
