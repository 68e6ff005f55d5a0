"""Documents and passages of a segment, as Arrow files that are looked at in place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from unmask.errors import DataError
from unmask.search.documents import Chunked, Passage
from unmask.search.filters import comparable

DOCUMENTS = "documents.arrow"
PASSAGES = "passages.arrow"
FIELDS = "fields.arrow"
FILES = (DOCUMENTS, PASSAGES, FIELDS)
TEXT, NUMBER = "text:", "number:"
"""Begin the names of the two columns of a metadata field."""

DOCUMENT_SCHEMA = pa.schema(
    [
        ("id", pa.large_string()),
        ("sha256", pa.string()),
        ("title", pa.large_string()),
        ("metadata", pa.large_string()),  # JSON
        ("count", pa.int64()),  # of its passages, which stand one after another
    ]
)
PASSAGE_SCHEMA = pa.schema(
    [
        ("document", pa.int64()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("text", pa.large_string()),
    ]
)
_ROWS = 4096
"""Of a record batch."""


def write_documents(folder: Path, documents: Sequence[Chunked]) -> None:
    """Writes the three files of a segment's texts."""
    counts = [len(one.spans) for one in documents]
    columns = {
        "id": [one.document.id for one in documents],
        "sha256": [one.sha256 for one in documents],
        "title": [one.document.title for one in documents],
        "metadata": [
            json.dumps(dict(one.document.metadata), ensure_ascii=False) for one in documents
        ],
        "count": counts,
    }
    write_table(folder / DOCUMENTS, pa.table(columns, DOCUMENT_SCHEMA))
    spans = [span for one in documents for span in one.spans]
    passages = {
        "document": np.repeat(np.arange(len(documents)), counts),
        "start": [span.start for span in spans],
        "end": [span.end for span in spans],
        "text": [text for one in documents for text in one.texts()],
    }
    write_table(folder / PASSAGES, pa.table(passages, PASSAGE_SCHEMA))
    write_table(folder / FIELDS, fields_table([one.document.metadata for one in documents]))


def fields_table(metadata: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The texts and numbers of every field, a row a document, null where there is none."""
    forms = [comparable(one) for one in metadata]
    texts = sorted({name for found, _ in forms for name in found})
    numbers = sorted({name for _, found in forms for name in found})
    columns = {
        f"{TEXT}{name}": pa.array([found.get(name) for found, _ in forms], pa.large_string())
        for name in texts
    } | {
        f"{NUMBER}{name}": pa.array([found.get(name) for _, found in forms], pa.float64())
        for name in numbers
    }
    # A column that says nothing keeps the number of rows where there is no field.
    return pa.table({"row": pa.array(np.arange(len(metadata))), **columns})


def write_table(path: Path, table: pa.Table) -> None:
    """Writes an Arrow file."""
    with write_tables(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=_ROWS)


def write_tables(path: Path, schema: pa.Schema) -> Any:
    """A writer of record batches of that schema, to be closed or used as a context."""
    return pa.ipc.new_file(str(path), schema)


def open_table(path: Path, schema: pa.Schema | None, num_rows: int, *, whole: bool) -> pa.Table:
    """The table in an Arrow file, memory-mapped; if `whole` every value is checked.

    Raises:
        DataError: No such table.
    """
    try:
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
        table.validate(full=whole)
    except (pa.ArrowException, OSError) as error:
        found = str(error).split("\n")[0]
        raise DataError(f"{path}: is no Arrow file that can be read ({found}).") from error
    if table.num_rows != num_rows or (schema is not None and table.schema != schema):
        raise DataError(
            f"{path}: holds {table.num_rows} rows of {table.schema.names}, expected {num_rows} of "
            f"{schema.names if schema is not None else 'metadata'}. Do not trust this index."
        )
    return table


def open_documents(folder: Path, num_documents: int, *, whole: bool) -> pa.Table:
    """A segment's documents; see `open_table`."""
    return open_table(folder / DOCUMENTS, DOCUMENT_SCHEMA, num_documents, whole=whole)


def open_passages(folder: Path, num_passages: int, *, whole: bool) -> pa.Table:
    """A segment's passages; see `open_table`."""
    return open_table(folder / PASSAGES, PASSAGE_SCHEMA, num_passages, whole=whole)


def open_fields(folder: Path, num_documents: int, *, whole: bool) -> pa.Table:
    """The texts and numbers of metadata fields, a row a document; see `open_table`."""
    table = open_table(folder / FIELDS, None, num_documents, whole=whole)
    expected = {TEXT: pa.large_string(), NUMBER: pa.float64(), "row": pa.int64()}
    for column in table.schema:
        if column.type != expected.get(f"{column.name.partition(':')[0]}:", expected["row"]):
            raise DataError(
                f"{folder / FIELDS}: column {column.name!r:.80} holds {column.type}. Do not trust "
                "this index."
            )
    return table


class Rows:
    """Single rows of a table by their numbers; Arrow's own `take` copies whole columns first."""

    def __init__(self, table: pa.Table) -> None:
        self._batches = table.to_batches()
        sizes = [batch.num_rows for batch in self._batches]
        self._ends = np.cumsum(sizes) if sizes else np.zeros(0, np.int64)

    def __getitem__(self, row: int) -> dict[str, Any]:
        """The values by the columns' names."""
        batch, within = self._placed(row)
        return {name: batch.column(name)[within].as_py() for name in batch.schema.names}

    def value(self, row: int, name: str) -> Any:
        """The value of one column."""
        batch, within = self._placed(row)
        return batch.column(name)[within].as_py()

    def _placed(self, row: int) -> tuple[Any, int]:
        number = int(np.searchsorted(self._ends, row, side="right"))
        batch = self._batches[number]
        return batch, row - int(self._ends[number]) + batch.num_rows


def passage_at(documents: Rows, passages: Rows, row: int) -> Passage:
    """The passage in that row."""
    found = passages[row]
    owner = documents[found["document"]]
    return Passage(
        owner["id"],
        owner["title"],
        found["text"],
        found["start"],
        found["end"],
        json.loads(owner["metadata"]),
    )


def batches(table: pa.Table, kept: NDArray[np.bool_]) -> Iterator[pa.Table]:
    """The rows that are kept, some thousand at a time."""
    for start in range(0, table.num_rows, _ROWS):
        part = kept[start : start + _ROWS]
        if part.any():
            yield table.slice(start, _ROWS).filter(pa.array(part))
