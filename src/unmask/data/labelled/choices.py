"""Texts with choices out of tables: SWAG, HellaSwag, COPA, ARC and the like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from unmask.data.jsonl import check_text
from unmask.data.labelled import columns
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import ChoiceExample
from unmask.data.labelled.labels import Fault
from unmask.data.labelled.tables import Table, Values
from unmask.data.labelled.texts import LEFT_OUT, Ids, excerpt, group_of, joined_text, required_text
from unmask.data.rejects import Rejects

_TEXTS = ("sent1", "ctx", "context", "premise", "question", "text", "sentence")
_NUMBERED = re.compile(r"(?:ending|choice|option|answer|solution|sol)[ _]?(\d+)")
_LISTS = ("choices", "endings", "options")
_LABELS = ("label", "gold_label", "answer", "answerkey", "gold", "correct")
_PREFIXES = ("sent2",)  # SWAG: every ending goes on from it


@dataclass(frozen=True)
class _Found:
    text: tuple[int, ...]
    choices: tuple[int, ...]
    prefix: int | None
    label: int | None
    id: int | None
    group: int | None


def from_table(table: Table, config: LabelledConfig, rejects: Rejects) -> Iterator[ChoiceExample]:
    """The examples of a table; what is wrong with a row goes to the rejects.

    The choices stand in columns named like `ending0`, or in one that holds a list (or, as in ARC,
    an object with the lists `text` and `label`). A label is a choice's number from 0, its letter,
    its name in that list, or its text.

    Raises:
        DataError: A column that is not there.
    """
    found = _find_columns(table, config)
    ids = Ids(table.unit)
    classes = () if found.label is None else table.class_names.get(table.names[found.label], ())
    unknown = (-1,) if classes and "-1" not in classes else ()
    for line, values in table.rows:
        if found.label is not None and values[found.label] in unknown:
            rejects.num_records += 1
            rejects.notes[LEFT_OUT] += 1
            continue
        try:
            example = _example(table.place(line), line, values, found, ids)
        except Fault as fault:
            rejects.add(str(table.source), line, fault.kind, fault.detail, excerpt(values))
        else:
            everything = " ".join((example.text, *example.choices))
            if check_text(everything, table.source, line, rejects) is not None:
                rejects.num_records += 1
                yield example


def _find_columns(table: Table, config: LabelledConfig) -> _Found:
    setting = config.columns
    text = columns.several(table, setting.text, _TEXTS, "text")
    choices = columns.positions(table, setting.choices) or _recognised(table)
    if not choices:
        raise columns.missing(table, "choices", ("ending0", "choice1", *_LISTS))
    prefix = columns.find(table, setting.choice_prefix, _PREFIXES)
    label = None
    chosen = columns.only(setting.label, "label")
    if config.labels != "none" and chosen != "":
        label = columns.required(table, chosen, _LABELS, "label")
    ids = columns.find(table, setting.id, columns.IDS)
    group = columns.find(table, setting.group, columns.GROUPS)
    return _Found(text, choices, prefix if prefix not in text else None, label, ids, group)


def _recognised(table: Table) -> tuple[int, ...]:
    if not table.has_names:
        return ()
    matches = ((_NUMBERED.fullmatch(name.lower()), i) for i, name in enumerate(table.names))
    numbered = sorted((int(match[1]), i) for match, i in matches if match)
    if len(numbered) > 1:
        return tuple(i for _, i in numbered)
    listed = columns.recognised(table, _LISTS)
    return () if listed is None else (listed,)


def _example(place: str, line: int, values: Values, found: _Found, ids: Ids) -> ChoiceExample:
    named: Sequence[Any] = ()
    parts: Sequence[Any] = [values[i] for i in found.choices]
    if len(parts) == 1:
        parts, named = _unpacked(parts[0])
    if len(parts) < 2:
        raise Fault("too few choices", f"{len(parts)}, expected at least 2")
    choices = tuple(required_text(part, "choice") for part in parts)
    label = None
    if found.label is not None:
        label = _index(values[found.label], choices, [str(name) for name in named])
    if found.prefix is not None and values[found.prefix]:
        prefix = required_text(values[found.prefix], "beginning of the choices")
        choices = tuple(f"{prefix} {choice}" for choice in choices)
    text = joined_text(values, found.text)
    name = str(line) if found.id is None else ids.take(values[found.id], line)
    return ChoiceExample(name, text, choices, label, place, group_of(values, found.group))


def _unpacked(value: Any) -> tuple[Sequence[Any], Sequence[Any]]:
    """The choices of a list, and their names if it has some."""
    if isinstance(value, dict):
        texts, names = value.get("text"), value.get("label", ())
        if isinstance(texts, list) and isinstance(names, list) and len(names) in (0, len(texts)):
            return texts, names
    if isinstance(value, list | tuple):
        return value, ()
    raise Fault("choices are no list", type(value).__name__)


def _index(value: Any, choices: Sequence[str], names: Sequence[str]) -> int:
    if value is None or value != value or value == "":
        raise Fault("no label")
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    text = text.strip()
    if text in names:
        return names.index(text)
    if text.isdecimal() and int(text) < len(choices):
        return int(text)
    if len(text) == 1 and 0 <= ord(text.upper()) - ord("A") < len(choices):
        return ord(text.upper()) - ord("A")
    if list(choices).count(text) == 1:
        return choices.index(text)
    raise Fault(
        "label out of range",
        f"`{text[:60]}` for {len(choices)} choices, expected 0 to {len(choices) - 1}",
    )
