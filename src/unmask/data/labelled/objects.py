"""Labelled examples out of Python objects: lists of dicts or tuples, and `datasets.Dataset`.

A `Dataset` is known by its `features`; the package itself is never imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from unmask.data.labelled import choices, ranked, sentences, squad, texts, words
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import (
    ChoiceExample,
    EmbeddingExample,
    QuestionExample,
    RankedExample,
    TaggedExample,
    TextExample,
)
from unmask.data.labelled.reading import checked
from unmask.data.labelled.tables import Table, of_objects
from unmask.data.rejects import Rejects
from unmask.data.sources import Source
from unmask.errors import UsageError

Rows = Iterable[Mapping[str, Any] | tuple[Any, ...] | str]
"""A `datasets.Dataset`, or dicts, or tuples whose parts stand in a fixed order."""

_NAMES: Final[Mapping[str, Mapping[int, Sequence[str]]]] = {
    "texts": {1: ("text",), 2: ("text", "label"), 3: ("text", "text_pair", "label")},
    "choices": {2: ("text", "choices"), 3: ("text", "choices", "label")},
    "tagged words": {1: ("words",), 2: ("words", "tags")},
    "sentences": {
        1: ("text",),
        2: ("anchor", "positive"),
        3: ("anchor", "positive", "negative"),
    },
    "queries": {2: ("query", "documents"), 3: ("query", "documents", "label")},
    "questions": {2: ("question", "context"), 3: ("question", "context", "answers")},
}
"""What the parts of a tuple are, by their number."""


def texts_of(
    rows: Rows, config: LabelledConfig, rejects: Rejects, name: str = "data"
) -> Iterator[TextExample]:
    """As `read_texts`; tuples are (text, label), (text, text_pair, label), or strings alone.

    `name` stands for the file in messages. A class that a `Dataset` numbers gets its name.

    Raises:
        UsageError: Rows of another kind.
        DataError: As `read_texts`.
    """
    table = _table(rows, "texts", rejects, name)
    return checked(table.source, texts.from_table(table, config, rejects), rejects)


def choices_of(
    rows: Rows, config: LabelledConfig, rejects: Rejects, name: str = "data"
) -> Iterator[ChoiceExample]:
    """As `read_choices`; tuples are (text, choices) or (text, choices, label).

    Raises:
        UsageError: Rows of another kind.
        DataError: As `read_texts`.
    """
    table = _table(rows, "choices", rejects, name)
    return checked(table.source, choices.from_table(table, config, rejects), rejects)


def tagged_of(
    rows: Rows, config: LabelledConfig, rejects: Rejects, name: str = "data"
) -> Iterator[TaggedExample]:
    """As `read_tagged`; tuples are (words,) or (words, tags).

    Raises:
        UsageError: Rows of another kind.
        DataError: As `read_texts`.
    """
    table = _table(rows, "tagged words", rejects, name)
    return checked(table.source, words.from_table(table, config, rejects), rejects)


def questions_of(
    rows: Rows, config: LabelledConfig, rejects: Rejects, name: str = "data"
) -> Iterator[QuestionExample]:
    """As `read_questions`; tuples are (question, context) or (question, context, answers).

    Raises:
        UsageError: Rows of another kind.
        DataError: As `read_texts`.
    """
    table = _table(rows, "questions", rejects, name)
    return checked(table.source, squad.from_table(table, config, rejects), rejects)


def sentences_of(
    rows: Rows, config: LabelledConfig, rejects: Rejects, name: str = "data"
) -> Iterator[EmbeddingExample]:
    """As `read_sentences`; tuples are (text,), (anchor, positive) or (anchor, positive, negative).

    Raises:
        UsageError: Rows of another kind.
        DataError: As `read_texts`.
    """
    table = _table(rows, "sentences", rejects, name)
    return checked(table.source, sentences.from_table(table, config, rejects), rejects)


def ranked_of(
    rows: Rows, config: LabelledConfig, rejects: Rejects, name: str = "data"
) -> Iterator[RankedExample]:
    """As `read_ranked`; tuples are (query, documents, label), lists of both or one of each.

    Raises:
        UsageError: Rows of another kind.
        DataError: As `read_texts`.
    """
    table = _table(rows, "queries", rejects, name)
    return checked(table.source, ranked.from_table(table, config, rejects), rejects)


def _table(rows: Rows, kind: str, rejects: Rejects, name: str) -> Table:
    if isinstance(rows, Mapping):
        shown = ", ".join(map(str, list(rows)[:5]))
        raise UsageError(f"{name}: is a dictionary ({shown}); expected the rows of one split.")
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        raise UsageError(f"{name}: is {type(rows).__name__}; expected a list of dicts or tuples.")
    features = getattr(rows, "features", None)
    objects = ((number, _object(row, number, kind, name)) for number, row in enumerate(rows, 1))
    table = of_objects(Source(Path(name), "text", None, 0), objects, rejects)
    return replace(table, class_names=_class_names(features))


def _object(row: Any, number: int, kind: str, name: str) -> Mapping[str, Any]:
    if isinstance(row, Mapping):
        return {str(key): _plain(value) for key, value in row.items()}
    parts = (row,) if isinstance(row, str) else row
    expected = _NAMES[kind]
    if isinstance(parts, tuple | list) and len(parts) in expected:
        return dict(zip(expected[len(parts)], map(_plain, parts), strict=True))
    shapes = " or ".join(f"({', '.join(names)})" for names in expected.values())
    found = (
        f"{type(row).__name__} of {len(row)}"
        if isinstance(row, tuple | list)
        else (type(row).__name__)
    )
    raise UsageError(f"{name}:{number}: is a {found}; expected a dict, or a tuple {shapes}.")


def _plain(value: Any) -> Any:
    """The value as Python's own; arrays, tensors and their scalars have `tolist`."""
    convert = getattr(value, "tolist", None)
    return value if convert is None else convert()


def _class_names(features: Any) -> dict[str, tuple[str, ...]]:
    """The classes that numbers count, of each feature that is a ClassLabel or a list of them."""
    found: dict[str, tuple[str, ...]] = {}
    for name, feature in features.items() if isinstance(features, Mapping) else ():
        inner = getattr(feature, "feature", feature)
        names = getattr(inner, "names", None)
        if names:
            found[str(name)] = tuple(map(str, names))
    return found
