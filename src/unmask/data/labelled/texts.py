"""Texts, single or in pairs, with their labels, out of tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from unmask.data.jsonl import check_text
from unmask.data.labelled import columns
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import TextExample
from unmask.data.labelled.labels import Fault, LabelReader, NoLabel
from unmask.data.labelled.tables import Table, Values
from unmask.data.rejects import Rejects
from unmask.data.sources import Source
from unmask.errors import DataError

LEFT_OUT = "left out, without a label"
"""The note that counts examples whose label says that there is none."""


@dataclass(frozen=True)
class TextColumns:
    """The numbers of a table's columns."""

    text: tuple[int, ...]
    text_pair: int | None
    label: tuple[int, ...]
    """Empty where no labels are read."""
    id: int | None
    group: int | None


class Ids:
    """Names for examples, each once."""

    def __init__(self, unit: str = "line") -> None:
        """`unit` is what the examples' numbers count."""
        self._unit = unit
        self._numbers: dict[str, int] = {}

    def take(self, value: Any, number: int) -> str:
        """The id that a value stands for.

        Raises:
            Fault: None, or an earlier example has it.
        """
        name = str(value).strip() if value is not None else ""
        if not name:
            raise Fault("no id")
        first = self._numbers.setdefault(name, number)
        if first != number:
            raise Fault("duplicate id", f"`{name[:80]}` stands in {self._unit} {first} already")
        return name


def find_columns(table: Table, config: LabelledConfig) -> TextColumns:
    """Which columns hold what; see `columns` for the names that are recognised.

    Without a header, one column is the text, two are text and label, and four are CoLA's: source,
    label, the author's mark, sentence.

    Raises:
        DataError: No text, no label where labels are read, or a column that is set and not there.
    """
    setting = config.columns
    chosen = columns.positions(table, setting.label or ())
    second = None if setting.text_pair is None else columns.position(table, setting.text_pair)
    text, pair, label = _texts(table, config)
    if setting.text_pair is not None:
        pair = second
    if setting.label is not None:
        label = chosen
    if config.labels == "none":
        label = ()
    elif not label and setting.label is None:
        raise columns.missing(table, "label", columns.LABELS)
    if len(label) > 1 and config.labels != "multi":
        raise DataError(
            f"{table.source}: {len(label)} columns are set for the label, but a label of the kind "
            f"`{config.labels}` stands in one. Name one, or say that there are several: --kind "
            "multi in finetune, --data.labels multi elsewhere."
        )
    return TextColumns(
        text,
        pair if pair not in text else None,
        label,
        columns.find(table, setting.id, columns.IDS),
        columns.find(table, setting.group, columns.GROUPS),
    )


def _texts(
    table: Table, config: LabelledConfig
) -> tuple[tuple[int, ...], int | None, tuple[int, ...]]:
    """Text, pair and label, of which the last two may be set otherwise."""
    known = columns.recognised(table, columns.LABELS)
    label = () if known is None else (known,)
    text = config.columns.text
    if text:
        return columns.positions(table, text), None, label
    for first, second in columns.PAIRS:
        pair = columns.recognised(table, (first,)), columns.recognised(table, (second,))
        if pair[0] is not None and pair[1] is not None:
            return (pair[0],), pair[1], label
    single = columns.recognised(table, columns.TEXTS)
    if single is not None:
        return (single,), None, label
    if not table.has_names and config.columns.label is None and config.columns.text_pair is None:
        if len(table.names) <= 2:
            return (0,), None, (1,) if len(table.names) == 2 else ()
        if len(table.names) == 4 and table.first[1] in ("0", "1") and len(table.first[2]) <= 3:
            return (3,), None, (1,)
    raise columns.missing(table, "text", columns.TEXTS)


def from_table(table: Table, config: LabelledConfig, rejects: Rejects) -> Iterator[TextExample]:
    """The examples of a table; what is wrong with a row goes to the rejects.

    Raises:
        DataError: A column that is not there.
    """
    found = find_columns(table, config)
    names = [table.names[number] for number in found.label]
    classes = table.class_names.get(names[0], ()) if len(names) == 1 else ()
    labels = LabelReader(config, names, classes) if names else None
    ids = Ids(table.unit)
    for line, values in table.rows:
        try:
            example = _example(table.place(line), line, values, found, labels, ids)
        except NoLabel:
            rejects.num_records += 1
            rejects.notes[LEFT_OUT] += 1
        except Fault as fault:
            rejects.add(str(table.source), line, fault.kind, fault.detail, excerpt(values))
        else:
            if _is_text(example, table.source, line, rejects):
                rejects.num_records += 1
                yield example


def _example(
    place: str,
    line: int,
    values: Values,
    found: TextColumns,
    labels: LabelReader | None,
    ids: Ids,
) -> TextExample:
    label = None if labels is None else labels.read([values[i] for i in found.label])
    text = joined_text(values, found.text)
    pair = found.text_pair
    second = None if pair is None else required_text(values[pair], "second text")
    # Last, for a reject leaves its id to others.
    name = str(line) if found.id is None else ids.take(values[found.id], line)
    return TextExample(
        name,
        text,
        second,
        label,
        group_of(values, found.group),
        place,
    )


def group_of(values: Values, column: int | None) -> str | None:
    """What a row belongs to, if anything."""
    value = None if column is None else values[column]
    return None if value is None or value == "" else str(value)


def joined_text(values: Values, numbers: Sequence[int], name: str = "text") -> str:
    """The texts of these columns, with a space between.

    Raises:
        Fault: One is no text, or blank.
    """
    return " ".join(required_text(values[number], name) for number in numbers)


def required_text(value: Any, name: str = "text") -> str:
    """A value that has to be text which is not blank.

    Raises:
        Fault: It is not.
    """
    if isinstance(value, str):
        text = value.replace("\r\n", "\n") if "\r" in value else value
        if text and not text.isspace():
            return text
    elif value is not None:
        raise Fault(f"{name} is no text", type(value).__name__)
    raise Fault(f"empty {name}")


def _is_text(example: TextExample, source: Source, line: int, rejects: Rejects) -> bool:
    """False if a NUL or a lone surrogate, which no file can hold, has made it a reject."""
    both = example.text if example.text_pair is None else f"{example.text} {example.text_pair}"
    return check_text(both, source, line, rejects) is not None


def excerpt(values: Sequence[Any]) -> str:
    """A row as a reject shows it."""
    return "\t".join(str(value)[:120] for value in values)
