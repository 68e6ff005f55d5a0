"""Rows of values out of CSV, TSV, JSON lines and JSON lists, with the columns' names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from unmask.data.jsonl import parse
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.files import LabelledFile, whole
from unmask.data.lines import read_lines
from unmask.data.plain import each
from unmask.data.rejects import Rejects, place
from unmask.data.rows import Row, rows
from unmask.data.sources import Source
from unmask.errors import DataError

_PEEKED_OBJECTS = 100
"""JSON objects whose keys are the columns; later ones may lack some, further keys are ignored."""
_PEEKED_ROWS = 1000
_PEEKED_CHARACTERS = 2**20
"""Bounds of the rows that tell whether the first one is a header."""

Values = Sequence[Any]
"""One row's values, in the order of the columns; None where there is none."""
IsHeader = Callable[[Sequence[str], Sequence[Sequence[str]]], bool]


@dataclass(frozen=True)
class Table:
    """Columns and rows, whatever they come from."""

    source: Source
    names: tuple[str, ...]
    """The columns; their numbers where the file has no header."""
    has_names: bool
    rows: Iterator[tuple[int, Values]]
    """Each good row with its number, from 1; faulty ones go to the rejects."""
    first: Values = ()
    """The first row of a table without names."""
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The classes that numbers in a column count, where the data itself says so."""
    unit: str = "line"
    """What a row's number counts: line, or record."""

    def place(self, number: int) -> str:
        """Where a row stands, for messages."""
        return place(str(self.source), number, self.unit)


def open_table(
    file: LabelledFile,
    config: LabelledConfig,
    rejects: Rejects,
    is_header: IsHeader,
) -> Table:
    """The table in a file of text; its rows are read as they are asked for.

    `is_header` tells whether a first row of CSV or TSV, given those that follow, names the columns
    where that is not set.

    Raises:
        DataError: No rows at all, or a header, a quote or a file that cannot be read.
    """
    if file.format in ("csv", "tsv"):
        return _delimited(file, config, rejects, is_header)
    if file.format == "json":
        return of_objects(file.source, _listed(file, rejects), rejects)
    return of_objects(file.source, _lined(file, config, rejects), rejects, unit="line")


def of_objects(
    source: Source,
    objects: Iterator[tuple[int, Mapping[str, Any]]],
    rejects: Rejects,
    *,
    unit: str = "record",
) -> Table:
    """The table of JSON-like objects with their numbers; the columns are the first objects' keys.

    Raises:
        DataError: No objects at all.
    """
    rejects.units[str(source)] = unit
    peeked = list(islice(objects, _PEEKED_OBJECTS))
    if not peeked:
        raise empty(source, rejects)
    names = tuple(dict.fromkeys(name for _, record in peeked for name in record))
    found = chain(peeked, objects)
    values = ((number, [record.get(name) for name in names]) for number, record in found)
    return Table(source, names, True, values, unit=unit)


def empty(source: Source, rejects: Rejects) -> DataError:
    """The error of a file without examples, with the reason if there is one."""
    why = next((reject for reject in rejects.first if reject.source == str(source)), None)
    told = f"; {why.place}: {why.reason}" if why is not None else ""
    told += "".join(f"; {count} {kind}" for kind, count in rejects.notes.items())
    return DataError(
        f"{source}: holds no examples{told}. Expected at least one; is it the right file?"
    )


def broken(source: Source, why: str, num_records: int) -> DataError:
    """The error of a file that breaks off; the records before are no sample of the whole."""
    return DataError(
        f"{source}: broken file: {why}, after {num_records:,} records. Copy or write it again: "
        "part of a file is not taken for the whole."
    )


def _delimited(
    file: LabelledFile,
    config: LabelledConfig,
    rejects: Rejects,
    is_header: IsHeader,
) -> Table:
    quoted = config.quoting == "csv" or (config.quoting == "auto" and file.format == "csv")
    delimiter = "," if file.format == "csv" else "\t"
    found = rows(file.source, config.max_line_bytes, rejects, delimiter=delimiter, quoted=quoted)
    records = (_closed(file.source, record) for record in found)
    filled: Iterator[Row] = (record for record in records if record.fields or record.fault)
    first = next(filled, None)
    if first is None:
        raise empty(file.source, rejects)
    peeked = _peeked(filled)
    filled = chain(peeked, filled)
    has_names = config.header == "yes"
    if config.header == "auto":
        has_names = is_header(first.fields, [record.fields for record in peeked])
    if not has_names:
        good = _good(file.source, chain([first], filled), None, delimiter, rejects)
        begun = next(good, None)
        if begun is None:
            raise empty(file.source, rejects)
        names = tuple(str(i) for i in range(len(begun[1])))
        return Table(file.source, names, False, chain([begun], good), begun[1])
    if first.fault is not None:
        raise DataError(
            f"{file}:{first.line}: the header cannot be read ({': '.join(first.fault)}). Repair "
            "the first line, which names the columns."
        )
    names = tuple(name.strip() for name in first.fields)
    return Table(file.source, names, True, _good(file.source, filled, first, delimiter, rejects))


def _peeked(records: Iterator[Row]) -> list[Row]:
    """The next rows, taken off: not too many, nor too long ones."""
    found: list[Row] = []
    num_characters = 0
    while len(found) < _PEEKED_ROWS and num_characters < _PEEKED_CHARACTERS:
        record = next(records, None)
        if record is None:
            break
        found.append(record)
        num_characters += sum(map(len, record.fields))
    return found


def _closed(source: Source, record: Row) -> Row:
    """The record, unless one reject would stand for all that an open quote has swallowed.

    Raises:
        DataError: It has such a quote.
    """
    if record.open_quote is not None:
        raise DataError(
            f"{source}:{record.open_quote}: a quote opens here and does not end where a field may, "
            "so what follows cannot be told apart into rows. Close it (inside quotes a quote is "
            "doubled), or set --data.quoting none if quotes mean nothing in this file."
        )
    return record


def _good(
    source: Source, records: Iterator[Row], first: Row | None, delimiter: str, rejects: Rejects
) -> Iterator[tuple[int, Values]]:
    """Rows as wide as the first, which is the header or the first good row."""
    for record in records:
        fault, width = record.fault, len(record.fields)
        if fault is None and first is None:
            first = record
        if fault is None and first is not None and width != len(first.fields):
            kind = "missing column" if width < len(first.fields) else "extra column"
            fault = (kind, f"{width} fields, expected {len(first.fields)} as in line {first.line}")
        if fault is not None:
            rejects.add(str(source), record.line, *fault, delimiter.join(record.fields))
        else:
            yield record.line, record.fields


def _lined(
    file: LabelledFile, config: LabelledConfig, rejects: Rejects
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for group in read_lines(file.source, config.max_line_bytes, rejects):
        for line in each(group):
            parsed = parse(line, file.source, rejects)
            if parsed is not None:
                yield line.line, parsed[0]


def load_json(file: LabelledFile, rejects: Rejects) -> Any:
    """A JSON file's content.

    Raises:
        DataError: Damaged, not UTF-8, or not JSON.
    """
    content = whole(file, rejects)
    try:
        return json.loads(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{content[error.start]:02x} at offset {error.start} is not UTF-8"
        raise DataError(
            f"{file}:{line}: {found} ({error.reason}). Convert the file to UTF-8."
        ) from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"{file}:{error.lineno}: is not JSON ({error.msg} at column {error.colno}). Expected "
            "one JSON document; is it cut off, or are these JSON lines (.jsonl)?"
        ) from None
    except (RecursionError, ValueError) as error:
        raise DataError(f"{file}: the JSON cannot be read ({error}).") from None


def _listed(file: LabelledFile, rejects: Rejects) -> Iterator[tuple[int, Mapping[str, Any]]]:
    content = load_json(file, rejects)
    if not isinstance(content, list):
        raise DataError(
            f"{file}:1: holds a JSON {type(content).__name__}, expected a list of objects, one "
            "for each example."
        )
    for number, record in enumerate(content, 1):
        if isinstance(record, dict):
            yield number, record
        else:
            rejects.add(str(file), number, "not a JSON object", type(record).__name__)
