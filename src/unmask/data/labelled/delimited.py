"""Tables in CSV and TSV files, with or without a header."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.files import LabelledFile
from unmask.data.labelled.tables import Table, Values, empty
from unmask.data.rejects import Rejects
from unmask.data.rows import Row, rows
from unmask.data.sources import Source
from unmask.errors import DataError

_PEEKED_ROWS = 1000
_PEEKED_CHARACTERS = 2**20
"""Bounds of the rows that tell whether the first one is a header."""

IsHeader = Callable[[Sequence[str], Sequence[Sequence[str]]], bool]


def open_delimited(
    file: LabelledFile,
    config: LabelledConfig,
    rejects: Rejects,
    is_header: IsHeader,
) -> Table:
    """The table in a CSV or TSV file; its rows are read as they are asked for.

    `is_header` tells whether the first row, given those that follow, names the columns where that
    is not set.

    Raises:
        DataError: No rows at all, or a header, a quote or a file that cannot be read.
    """
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
