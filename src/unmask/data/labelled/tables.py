"""Rows of values with the columns' names, out of JSON lines and JSON lists; see also `delimited`
and `parquet`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from unmask.data.jsonl import parse
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.files import LabelledFile, whole
from unmask.data.lines import read_lines
from unmask.data.plain import each
from unmask.data.rejects import Rejects, place
from unmask.data.sources import Source
from unmask.errors import DataError

logger = logging.getLogger(__name__)

_PEEKED_OBJECTS = 100
"""JSON objects whose keys are the columns; later ones may lack some, further keys are ignored,
with a warning."""

Values = Sequence[Any]
"""One row's values, in the order of the columns; None where there is none."""


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


def open_json(file: LabelledFile, config: LabelledConfig, rejects: Rejects) -> Table:
    """The table in a file of JSON lines or of a JSON list.

    Raises:
        DataError: No objects at all, or a file that cannot be read.
    """
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
    later = _known_keys(source, objects, frozenset(names), unit)
    found = chain(peeked, later)
    values = ((number, [record.get(name) for name in names]) for number, record in found)
    return Table(source, names, True, values, unit=unit)


def _known_keys(
    source: Source,
    objects: Iterator[tuple[int, Mapping[str, Any]]],
    names: frozenset[str],
    unit: str,
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects; the first key among them that is no column is told of."""
    is_told = False
    for number, record in objects:
        if not is_told and not names.issuperset(record):
            is_told = True
            logger.warning(
                "%s: has the key `%s`, which none of the first %d objects has; it is ignored in "
                "the whole file. Give one of these the key (null will do) if it is needed.",
                place(str(source), number, unit),
                next(name for name in record if name not in names),
                _PEEKED_OBJECTS,
            )
        yield number, record


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
