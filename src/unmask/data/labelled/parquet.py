"""Tables in Parquet files, with the names of classes that Hugging Face `datasets` keeps there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from unmask.data.labelled.files import LabelledFile
from unmask.data.labelled.tables import Table, Values, broken
from unmask.data.rejects import Rejects
from unmask.data.sources import BrokenStream
from unmask.data.tables import seekable
from unmask.errors import DataError

_ROWS = 256
"""Rows in memory at once."""


def open_parquet(file: LabelledFile, rejects: Rejects) -> Table:
    """The table in a Parquet file; its rows are read as they are asked for.

    Raises:
        DataError: The file cannot be read.
    """
    import pyarrow as pa
    from pyarrow import parquet

    with ExitStack() as stack:
        try:
            opened = parquet.ParquetFile(seekable(file.source, stack), pre_buffer=False)
        except (pa.ArrowException, OSError, BrokenStream) as error:
            found = str(error).split("\n")[0]
            raise DataError(f"{file}: is no Parquet file that can be read ({found}).") from error
        names = tuple(opened.schema_arrow.names)
        rejects.units[str(file)] = "record"
        values = _records(file, opened, stack.pop_all(), rejects)
        classes = _class_names(opened.schema_arrow.metadata or {})
        return Table(file.source, names, True, values, class_names=classes, unit="record")


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    """The classes that a column's numbers count, or those in its lists, if `datasets` wrote it."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return {}  # no columns are named by it, so nothing is lost but names
    found: dict[str, tuple[str, ...]] = {}
    for name, feature in features.items() if isinstance(features, dict) else ():
        inner = feature[0] if isinstance(feature, list) and len(feature) == 1 else feature
        inner = inner.get("feature", inner) if isinstance(inner, dict) else {}
        names = inner.get("names") if isinstance(inner, dict) else None
        if isinstance(names, list) and all(isinstance(one, str) for one in names) and names:
            found[name] = tuple(names)
    return found


def _records(
    file: LabelledFile, table: Any, stack: ExitStack, rejects: Rejects
) -> Iterator[tuple[int, Values]]:
    import pyarrow as pa

    record = 0
    with stack:
        try:
            for batch in table.iter_batches(batch_size=_ROWS):
                try:
                    yield from enumerate(
                        zip(*(column.to_pylist() for column in batch.columns), strict=True),
                        record + 1,
                    )
                except UnicodeDecodeError:
                    yield from _one_by_one(file, batch, record, rejects)
                record += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise broken(file.source, str(error).split("\n")[0], record) from error
    rejects.bytes_read += file.source.num_bytes


def _one_by_one(
    file: LabelledFile, batch: Any, before: int, rejects: Rejects
) -> Iterator[tuple[int, Values]]:
    for i in range(batch.num_rows):
        try:
            yield before + i + 1, [column[i].as_py() for column in batch.columns]
        except UnicodeDecodeError as error:
            at = f"byte 0x{error.object[error.start]:02x} at offset {error.start} ({error.reason})"
            rejects.add(str(file), before + i + 1, "not UTF-8", at, error.object)
