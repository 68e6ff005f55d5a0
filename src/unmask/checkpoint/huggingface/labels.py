"""Names of classes in config.json, where anything may stand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from unmask.errors import DataError

_PROBLEM_TYPES = ("single_label_classification", "multi_label_classification", "regression")


def numbered(rows: int) -> tuple[str, ...]:
    """transformers' names of classes that have none."""
    return tuple(f"LABEL_{i}" for i in range(rows))


def label_fields(labels: Sequence[str]) -> dict[str, Any]:
    """The labels' fields of config.json; none for no labels."""
    if not labels:
        return {}
    return {
        "id2label": {str(i): name for i, name in enumerate(labels)},
        "label2id": {name: i for i, name in enumerate(labels)},
    }


def read_labels(given: Mapping[str, Any], rows: int, place: str) -> tuple[str, ...] | None:
    """The names that a config gives to the classifier's rows, None where it gives none.

    `label2id` is not read: transformers answers by `id2label` too.

    Raises:
        DataError: Not one name for each row.
    """
    stored = given.get("id2label")
    if stored is None:
        declared = given.get("num_labels")  # what was written before there was an id2label
        if declared not in (None, rows):
            raise _another_number(f"`num_labels` is {short(declared)}", rows, place)
        return None
    if not isinstance(stored, dict):
        raise DataError(
            f"{place}: `id2label` is {short(stored)}; expected an object of class numbers and "
            "their names."
        )
    if len(stored) != rows:
        raise _another_number(f"`id2label` names {len(stored)} labels", rows, place)
    return checked([stored.get(str(i)) for i in range(rows)], f"{place}: `id2label`")


def checked(labels: Sequence[object], place: str) -> tuple[str, ...]:
    """The labels, each a name of its own.

    Raises:
        DataError: They are not.
    """
    names: dict[str, int] = {}
    for i, name in enumerate(labels):
        if not isinstance(name, str) or not _is_text(name):
            raise DataError(
                f"{place} has {short(name)} for class {i}; expected a name for each class from "
                f"0 to {len(labels) - 1}."
            )
        if name in names:
            raise DataError(
                f"{place} has the name {short(name)} for the classes {names[name]} and {i}; "
                "expected different names."
            )
        names[name] = i
    return tuple(names)


def read_problem_type(given: Mapping[str, Any], place: str) -> str | None:
    """Hugging Face's word for the kind of labels, None where it is left open.

    Raises:
        DataError: Another word.
    """
    found = given.get("problem_type")
    if found is None or (isinstance(found, str) and found in _PROBLEM_TYPES):
        return found
    raise DataError(
        f"{place}: `problem_type` is {short(found)}; expected one of {', '.join(_PROBLEM_TYPES)}."
    )


def short(value: object) -> str:
    """A value for a message, in JSON and cut."""
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _another_number(found: str, rows: int, place: str) -> DataError:
    return DataError(
        f"{place}: {found}, but the classifier in the weights has {rows} rows; expected one label "
        "for each row. Check that both files come from the same model."
    )


def _is_text(name: str) -> bool:
    """JSON can spell halves of characters, which nothing can print."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)
