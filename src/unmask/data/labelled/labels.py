"""Values of a label column made classes, sets of classes, or numbers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from unmask.data.labelled.config import LabelledConfig

Label = str | tuple[str, ...] | float | None


class Fault(Exception):
    """What is wrong with a record: the kind, which others share, and the detail."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail


class NoLabel(Exception):
    """A value that says that there is no label."""


_TRUE: Final = frozenset({"1", "1.0", "true"})
_FALSE: Final = frozenset({"0", "0.0", "false"})
_WHOLE: Final = re.compile(r"-?[0-9]+\.0+")
_SHOWN = 8


class LabelReader:
    """Makes labels of the values of one column, or of several columns of 0 and 1."""

    def __init__(
        self, config: LabelledConfig, names: Sequence[str], class_names: Sequence[str]
    ) -> None:
        """Takes the names of the label's columns, and the classes that the data itself names."""
        self._columns = tuple(names)
        self._separator = config.label_separator
        self._range = config.label_range
        self._classes = tuple(config.class_names or class_names)
        self._known = {_spelled(name): name for name in self._classes}
        none = config.no_label
        if none is None:
            none = ("-",) if "gold_label" in {name.lower() for name in names} else ()
            none += ("-1",) if class_names and "-1" not in class_names else ()
        self._none = frozenset(map(_spelled, none))
        kinds: dict[str, Callable[[Any], Label]] = {
            "class": self._class,
            "number": self._number,
            "multi": self._several,
        }
        self._one = kinds[config.labels]

    def read(self, values: Sequence[Any]) -> Label:
        """The label that the columns' values stand for.

        Raises:
            Fault: They stand for none.
            NoLabel: They say that there is none.
        """
        if len(values) == 1:
            return self._one(values[0])
        pairs = zip(self._columns, values, strict=True)
        return tuple(name for name, value in pairs if _indicator(name, value))

    def _class(self, value: Any) -> str:
        name = _named(value)
        if name in self._none:
            raise NoLabel(name)
        if not self._classes or name in self._known:
            return self._known.get(name, name)
        if name.isdecimal() and int(name) < len(self._classes):
            return self._classes[int(name)]
        shown = ", ".join(f"`{label}`" for label in self._classes[:_SHOWN])
        more = ", ..." if len(self._classes) > _SHOWN else ""
        raise Fault(
            "label out of range",
            f"`{name[:60]}`, expected {shown}{more} or a number from 0 to {len(self._classes) - 1}",
        )

    def _number(self, value: Any) -> float:
        if isinstance(value, str) and _spelled(value) in self._none:
            raise NoLabel(value)
        if value is None or (isinstance(value, str) and not value.strip()):
            raise Fault("no label")
        try:
            if isinstance(value, bool):
                raise ValueError
            number = float(value)
        except (ValueError, TypeError, OverflowError):
            raise Fault("label is no number", f"`{str(value)[:60]}`") from None
        if not math.isfinite(number):
            raise Fault("label is not finite", f"`{value}`, expected a number")
        if self._range is not None and not self._range[0] <= number <= self._range[1]:
            low, high = self._range
            raise Fault("label out of range", f"{number:g}, expected {low:g} to {high:g}")
        return number

    def _several(self, value: Any) -> tuple[str, ...]:
        if value is None or value != value:
            raise Fault("no label")
        if isinstance(value, str):
            text = value.strip()
            if _spelled(text) in self._none:
                raise NoLabel(text)
            value = _listed(text) if text.startswith("[") else text.split(self._separator)
            value = [part for part in value if part is not None and str(part).strip()]
        elif not isinstance(value, list | tuple):
            value = [value]
        return tuple(dict.fromkeys(self._class(part) for part in value))


def _listed(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Fault("label is no JSON list", f"{error}") from None
    assert isinstance(found, list)  # it begins with a bracket
    return found


def _named(value: Any) -> str:
    """A class as text: what CSV, JSON and Parquet hold for the same class is the same."""
    if isinstance(value, str):
        name = _spelled(value)
    elif isinstance(value, bool):
        name = "true" if value else "false"
    elif isinstance(value, int):
        name = str(value)
    elif isinstance(value, float) and not math.isnan(value):
        name = str(int(value)) if value.is_integer() else repr(value)
    elif value is None or isinstance(value, float):
        name = ""
    else:
        several = isinstance(value, list | tuple)
        hint = "; of several labels say so by --kind multi (in doctor --data.labels multi)"
        raise Fault(
            "label is no class",
            f"{type(value).__name__}, expected text or a number{hint if several else ''}",
        )
    if not name:
        raise Fault("no label")
    return name


def _spelled(text: str) -> str:
    """A class as JSON's true, 1 and 1.0 are named, where CSV holds `True` or `1.0`."""
    text = text.strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    return text.partition(".")[0] if _WHOLE.fullmatch(text) else text


def _indicator(name: str, value: Any) -> bool:
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text not in _FALSE:
        raise Fault("label is neither 0 nor 1", f"`{text[:60]}` in column `{name}`")
    return False
