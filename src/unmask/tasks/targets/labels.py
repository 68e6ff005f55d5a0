"""The labels of examples, by name and by number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unmask.data.labelled.examples import TextExample
from unmask.errors import DataError

_SHOWN = 10
"""Labels listed in a message."""


def named(example: TextExample) -> str | tuple[str, ...] | float:
    """The example's label.

    Raises:
        DataError: It has none.
    """
    if example.label is None:
        raise DataError(f"{example.place}: has no label.")
    return example.label


def names(example: TextExample) -> tuple[str, ...]:
    """The example's label or labels."""
    label = named(example)
    return label if isinstance(label, tuple) else (str(label),)


def number_of(labels: Sequence[str], name: str, place: str) -> int:
    """Which of the labels it is.

    Raises:
        DataError: None of them.
    """
    try:
        return labels.index(name)
    except ValueError:
        known = ", ".join(map(repr, labels[:_SHOWN])) + (", ..." if len(labels) > _SHOWN else "")
        raise DataError(
            f"{place}: label {name!r} is none of the {len(labels)} that the model was trained on "
            f"({known}). Rename it in the data if it is one of these by another name, or take the "
            "example out."
        ) from None


def in_order(found: Iterable[str]) -> tuple[str, ...]:
    """By number where all are numbers, else by the alphabet."""
    listed = list(found)
    are_numbers = all(name.isdecimal() for name in listed)
    return tuple(sorted(listed, key=lambda name: (int(name) if are_numbers else 0, name)))
