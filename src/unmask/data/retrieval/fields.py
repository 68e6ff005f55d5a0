"""The fields of a line of judgements or of a run."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from unmask.data.labelled.labels import Fault

_WHOLE = re.compile(r"([+-]?[0-9]{1,9})(?:\.0*)?")


def of_line(fields: Sequence[str], names: Sequence[str]) -> Sequence[str]:
    """The fields, as many as there are names.

    Raises:
        Fault: Another number of them, or one is empty.
    """
    if len(fields) != len(names):
        kind = "missing field" if len(fields) < len(names) else "extra field"
        raise Fault(kind, f"{len(fields)} fields, expected {len(names)}: {' '.join(names)}")
    for name, value in zip(names, fields, strict=True):
        if not value.strip():
            raise Fault(f"empty {name}")
    return fields


def whole_number(name: str, text: str) -> int:
    """A whole number such as 1, -1 or 2.0.

    Raises:
        Fault: It is none, or has more than 9 digits.
    """
    match = _WHOLE.fullmatch(text.strip())
    if match is None:
        raise Fault(f"{name} is no whole number", f"`{text[:40]}`")
    return int(match[1])


def finite_number(name: str, text: str) -> float:
    """A number such as 0.5 or 1e-3.

    Raises:
        Fault: It is none, or is not finite.
    """
    try:
        number = float(text) if "_" not in text else None
    except ValueError:
        number = None
    if number is None:
        raise Fault(f"{name} is no number", f"`{text[:40]}`")
    if not math.isfinite(number):
        raise Fault(f"{name} is not finite", f"`{text[:40]}`")
    return number
