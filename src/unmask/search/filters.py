"""Conditions on metadata, and the two forms in which every home keeps a value to compare.

A value's number is what it is as a number, also where it stands there as text (tables know nothing
else); its text is how it is written. Numbers compare with numbers; where the condition's value is
no number, texts compare, in the order of their code points, as dates like 2024-05-31 need it.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from unmask.errors import UsageError

Operator = Literal["=", "!=", "<", "<=", ">", ">="]
OPERATORS: tuple[Operator, ...] = get_args(Operator)

_CONDITION = re.compile(
    r"\s*(?P<field>[^=<>!]+?)\s*(?P<operator>!=|<=|>=|==|=|<|>)(?P<value>.*)", re.S
)
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_EXACT = 2**53
"""Whole numbers up to which floats tell each from the next; larger ones are text alone."""


@dataclass(frozen=True)
class Condition:
    """What a field's value must be."""

    field: str
    operator: Operator
    text: str
    number: float | None
    """None where the value is no number; then texts are compared."""

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{self.text}"


def parse(conditions: Iterable[str]) -> tuple[Condition, ...]:
    """Conditions as a user writes them, such as `year>=1990`.

    Raises:
        UsageError: One is none.

    >>> parse(["year >= 1990", "author=Austen"])[1]
    Condition(field='author', operator='=', text='Austen', number=None)
    """
    return tuple(map(_condition, conditions))


def _condition(written: str) -> Condition:
    found = _CONDITION.fullmatch(written)
    if found is None:
        raise UsageError(
            f"--filter {written!r:.100}: expected a field, one of {' '.join(OPERATORS)}, and a "
            "value, such as year>=1990 or author=Austen."
        )
    operator = "=" if found["operator"] == "==" else found["operator"]
    text = found["value"].strip()
    return Condition(found["field"], operator, text, number_of(text))  # type: ignore[arg-type]


def check_fields(conditions: Sequence[Condition], fields: Iterable[str]) -> None:
    """Refuses a condition on a field that no document has, which would find nothing.

    Raises:
        UsageError: It is on such a field.
    """
    known = sorted(fields)
    for condition in conditions:
        if condition.field in known:
            continue
        near = difflib.get_close_matches(condition.field, known, 1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        shown = ", ".join(f"`{name}`" for name in known[:20]) or "none at all"
        more = ", ..." if len(known) > 20 else ""
        raise UsageError(
            f"--filter {condition}: no document has a field `{condition.field}` to compare; "
            f"found {shown}{more}.{hint}"
        )


def text_of(value: Any) -> str | None:
    """A value as a condition writes it; None for what cannot be compared: lists, objects, null.

    >>> text_of(1990), text_of(0.5), text_of(True), text_of(["a"])
    ('1990', '0.5', 'true', None)
    """
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value) if isinstance(value, bool | int | float) else None


def number_of(value: Any) -> float | None:
    """A value as a number, or None.

    >>> number_of("1990"), number_of(1990.0), number_of("no. 5"), number_of(True)
    (1990.0, 1990.0, None, None)
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        if _NUMBER.fullmatch(value) is None:
            return None
        if value.strip().lstrip("+-").isdecimal() and len(value.strip()) > 15:
            return None  # a whole number as long as a float can no longer hold
        number = float(value)
    elif isinstance(value, int):
        if abs(value) > _EXACT:
            return None
        number = float(value)
    elif isinstance(value, float):
        number = value
    else:
        return None
    return number if math.isfinite(number) else None


def comparable(metadata: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, float]]:
    """The texts and the numbers of metadata, by field.

    >>> comparable({"year": "1990", "author": "Austen", "tags": ["novel"]})
    ({'year': '1990', 'author': 'Austen'}, {'year': 1990.0})
    """
    texts = {name: text for name, value in metadata.items() if (text := text_of(value)) is not None}
    numbers = {
        name: number for name, value in metadata.items() if (number := number_of(value)) is not None
    }
    return texts, numbers


def holds(condition: Condition, metadata: Mapping[str, Any]) -> bool:
    """Whether the condition holds for a document's metadata; what every home must agree with.

    A document without the field, or whose value cannot be compared, fulfils `!=` alone.
    """
    texts, numbers = comparable(metadata)
    value: Any = texts.get(condition.field)
    wanted: Any = condition.text
    if condition.number is not None:
        value, wanted = numbers.get(condition.field), condition.number
    if condition.operator == "!=":
        return bool(value != wanted)
    if value is None:
        return False
    found: bool = {
        "=": value == wanted,
        "<": value < wanted,
        "<=": value <= wanted,
        ">": value > wanted,
        ">=": value >= wanted,
    }[condition.operator]
    return found
