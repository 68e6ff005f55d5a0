"""Documents out of tables: CSV, TSV and Parquet, the text in one column."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Any

from unmask.data.config import ReaderConfig
from unmask.data.jsonl import check_text
from unmask.data.plain import regroup
from unmask.data.rejects import Rejects
from unmask.data.rows import rows
from unmask.data.sources import BrokenStream, Source, chunks
from unmask.errors import DataError, MachineError

_ROWS = 256
"""Parquet rows in memory at once."""


def read_csv(source: Source, config: ReaderConfig, rejects: Rejects) -> Iterator[str]:
    """The documents of a CSV file: a header, commas, quotes doubled inside quotes (RFC 4180)."""
    return regroup(_delimited(source, config, rejects, ","), config, rejects)


def read_tsv(source: Source, config: ReaderConfig, rejects: Rejects) -> Iterator[str]:
    """The documents of a TSV file: a header, tabs, and quotes that mean nothing (as in GLUE)."""
    return regroup(_delimited(source, config, rejects, "\t"), config, rejects)


def read_parquet(source: Source, config: ReaderConfig, rejects: Rejects) -> Iterator[str]:
    """The documents of a Parquet file."""
    return regroup(_parquet(source, config, rejects), config, rejects)


def _delimited(
    source: Source, config: ReaderConfig, rejects: Rejects, delimiter: str
) -> Iterator[str]:
    quoted = delimiter != "\t"
    records = rows(source, config.max_line_bytes, rejects, delimiter=delimiter, quoted=quoted)
    first = next(records, None)
    if first is None:
        return  # the file is empty, or cannot be read, which is a reject already
    header, fault = first.fields, first.fault
    if fault is None and first.line > 1:
        fault = ("line too long", f"expected at most {config.max_line_bytes} bytes")
    if fault is not None:
        raise DataError(
            f"{source}:1: the header cannot be read ({': '.join(fault)}). Repair the first line, "
            "which names the columns."
        )
    column = _column(source, config.text_field, header)
    for row in records:
        fields, fault = row.fields, row.fault
        if fault is None and fields and len(fields) != len(header):
            fault = ("broken row", f"{len(fields)} fields, expected {len(header)} as in the header")
        if fault is not None:
            rejects.add(str(source), row.line, *fault, delimiter.join(fields))
        elif fields:
            text = check_text(fields[column], source, row.line, rejects)
            if text is not None:
                rejects.num_records += 1
                yield text


def _column(source: Source, name: str, names: Sequence[str]) -> int:
    if name in names:
        return list(names).index(name)
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    raise DataError(
        f"{source}: no column `{name}`; found {', '.join(names[:20]) or 'none'}. {hint}"
        "Name the column of the text with --reader.text-field."
    )


def _parquet(source: Source, config: ReaderConfig, rejects: Rejects) -> Iterator[str]:
    import pyarrow as pa
    from pyarrow import parquet

    record = 0
    rejects.units[str(source)] = "record"
    with ExitStack() as stack:
        try:
            table = parquet.ParquetFile(seekable(source, stack), pre_buffer=False)
            _check_column(source, config.text_field, table.schema_arrow)
            for batch in table.iter_batches(batch_size=_ROWS, columns=[config.text_field]):
                column = batch.column(0)
                if pa.types.is_dictionary(column.type):
                    column = column.dictionary_decode()
                # As bytes, because a string that is not UTF-8 would end the whole file.
                for value in column.cast(pa.large_binary()).to_pylist():
                    record += 1
                    text = _value(value, source, record, config, rejects)
                    if text is not None:
                        yield text
        except (pa.ArrowException, OSError, BrokenStream) as error:
            first_line = str(error).split("\n")[0]
            detail = f"{first_line}; the {record} records before were kept"
            rejects.add(str(source), None, "broken file", detail)
    rejects.bytes_read += source.num_bytes


def seekable(source: Source, stack: ExitStack) -> str | IO[bytes]:
    """The file itself, or its content unpacked on disk: Parquet is read from its end."""
    if source.compression is None:
        return str(source.path)
    try:
        unpacked = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        for chunk, _ in chunks(source):
            unpacked.write(chunk)
        unpacked.seek(0)
    except OSError as error:  # of the copy: `chunks` has another error for the source
        raise MachineError(
            f"{source}: cannot be unpacked ({error.strerror}); make room where temporary files "
            "lie, or unpack the file yourself."
        ) from error
    return unpacked


def _check_column(source: Source, name: str, schema: Any) -> None:
    import pyarrow as pa

    kind = schema.types[_column(source, name, schema.names)]
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(
            f"{source}: column `{name}` holds {kind}, expected text. Name the column of the text "
            "with --reader.text-field."
        )


def _value(
    value: bytes | None, source: Source, record: int, config: ReaderConfig, rejects: Rejects
) -> str | None:
    if value is None:
        rejects.add(str(source), record, f"no value in `{config.text_field}`")
        return None
    if len(value) > config.max_line_bytes:
        detail = f"{len(value)} bytes, expected at most {config.max_line_bytes}"
        rejects.add(str(source), record, "record too long", detail, value[:200])
        return None
    try:
        text = check_text(value.decode(), source, record, rejects)
    except UnicodeDecodeError as error:
        detail = f"byte 0x{value[error.start]:02x} at offset {error.start} ({error.reason})"
        excerpt = value[max(0, error.start - 40) : error.start + 40]
        rejects.add(str(source), record, "not UTF-8", detail, excerpt)
        return None
    rejects.num_records += text is not None
    return text
