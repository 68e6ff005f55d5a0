"""Documents out of files: a text, a name, a title, and metadata from every further column."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmask.data.jsonl import check_text
from unmask.data.labelled import columns
from unmask.data.labelled.config import Column, Columns, LabelledConfig
from unmask.data.labelled.files import (
    LabelledFile,
    find,
    is_lines_of_text,
    texts_by_line,
)
from unmask.data.labelled.labels import Fault
from unmask.data.labelled.reading import checked, table_of
from unmask.data.labelled.tables import Table
from unmask.data.labelled.texts import Ids, excerpt, required_text
from unmask.data.rejects import Rejects
from unmask.errors import DataError, UsageError
from unmask.search.config import ReadingConfig
from unmask.search.documents import Document, content_sha256

_TEXTS = ("text", "passage", "contents", *columns.TEXTS[1:], "abstract", "body")
_IDS = ("id", "_id", "docid", "doc_id", "docno", *columns.IDS[1:])
_TITLES = ("title",)


@dataclass(frozen=True)
class _Found:
    """The numbers of the columns."""

    text: int
    id: int | None
    title: int | None
    others: tuple[tuple[int, str], ...]
    """Metadata: the columns' numbers and names."""


def read_documents(path: Path | str, config: ReadingConfig, rejects: Rejects) -> Iterator[Document]:
    """The documents of a file, one after another, in bounded memory but for their ids.

    .txt is one text a line; .jsonl, .json, .csv, .tsv and .parquet are tables, whose columns are
    set or recognised by name; each also .gz and .zst. Without a column of ids, documents are named
    by the path as it is given, and the line. What cannot be read goes to `rejects`: no text, a text
    that is blank, an id that another record has; blank lines of .txt are passed over.

    Raises:
        DataError: No such file, not such a file, no column of texts, too many rejects, or no
            document at all.
    """
    path = Path(path)
    is_lines = is_lines_of_text(path)
    settings = LabelledConfig(
        format="tsv" if is_lines else "auto",
        columns=_columns_setting(config),
        labels="none",
        max_line_bytes=config.max_line_bytes,
        max_reject_rate=config.max_reject_rate,
    )
    file = find(path, "text", settings)
    if file.format == "trees":
        raise DataError(f"{file}: sentiment trees are no documents; expected texts.")
    if is_lines:
        if config.column.model_fields_set:
            raise UsageError(f"{file}: is read as one text per line, so it has no columns to name.")
        documents = _each_line(file, settings, rejects)
    else:
        documents = _from_table(
            table_of(file, settings, rejects, (*_TEXTS, *_TITLES)), config, rejects
        )
    yield from checked(file.source, documents, rejects, "documents")


def _columns_setting(config: ReadingConfig) -> Columns:
    """What tells whether a table's first row is a header."""
    text = config.column.text
    return Columns(text=None if text is None else (text,), id=config.column.id)


def _each_line(
    file: LabelledFile, settings: LabelledConfig, rejects: Rejects
) -> Iterator[Document]:
    for line in texts_by_line(file, settings, rejects):
        yield Document(f"{file.source.path}:{line.number}", line.text)


def _from_table(table: Table, config: ReadingConfig, rejects: Rejects) -> Iterator[Document]:
    found = _find_columns(table, config)
    ids = Ids(table.unit)
    for number, values in table.rows:
        try:
            document = _document(table, number, values, found, ids)
        except Fault as fault:
            rejects.add(str(table.source), number, fault.kind, fault.detail, excerpt(values))
            continue
        text = f"{document.title} {document.text}"
        if check_text(text, table.source, number, rejects) is not None:
            rejects.num_records += 1
            yield document


def _find_columns(table: Table, config: ReadingConfig) -> _Found:
    setting = config.column
    text = _column(table, setting.text, _TEXTS)
    if text is None:
        shown = (
            columns.shown(table) if table.has_names else f"no header; {len(table.names)} columns"
        )
        raise DataError(
            f"{table.source}:1: cannot tell which column is the text; found {shown}, expected "
            f"{', '.join(_TEXTS[:5])}. Set --column.text to a name, or to a number from 0."
        )
    name = _column(table, setting.id, _IDS)
    title = _column(table, setting.title, _TITLES)
    taken = {text, name, title}
    others = tuple(
        (number, field)
        for number, field in enumerate(table.names)
        if number not in taken and field and table.has_names
    )
    return _Found(text, name, title, others)


def _column(table: Table, setting: Column | None, known: Sequence[str]) -> int | None:
    if setting is None and not table.has_names and known is _TEXTS and len(table.names) == 1:
        return 0
    return columns.find(table, setting, known)


def _document(
    table: Table, number: int, values: Sequence[Any], found: _Found, ids: Ids
) -> Document:
    text = required_text(values[found.text])
    title = "" if found.title is None else values[found.title]
    if title is not None and not isinstance(title, str):
        raise Fault("title is no text", type(title).__name__)
    metadata = {
        name: value
        for position, name in found.others
        if (value := _plain(values[position], name)) not in (None, "")
    }
    # Last, for a reject leaves its id to others.
    place = f"{table.source.path}:{number}"
    name = place if found.id is None else ids.take(values[found.id], number)
    document = Document(name, text, (title or "").strip(), metadata)
    try:
        content_sha256(document)
    except DataError as error:
        raise Fault("not a document", str(error)) from None
    return document


def _plain(value: Any, name: str) -> Any:
    """A value of a table as JSON has it; None where it says nothing."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, name) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, name) for inner in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, bytes):
        raise Fault(f"`{name}` is no text", f"{len(value)} bytes of binary data")
    return str(value)  # such as a decimal number
