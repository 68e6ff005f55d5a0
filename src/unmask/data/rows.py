"""Records of CSV and TSV files, faulty ones included, by the line where each begins."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

from unmask.data.lines import read_lines
from unmask.data.rejects import Rejects
from unmask.data.sources import Source

_FEW_LINES = 10
"""A broken row of more lines is laid to a quote that was not meant as one."""


@dataclass(frozen=True, slots=True)
class Row:
    """The fields of one record of a CSV or TSV file."""

    line: int
    """Where it begins, from 1."""
    fields: list[str]
    fault: tuple[str, str] | None
    """The kind and the detail of what is wrong with it, as `Rejects.add` takes them."""
    open_quote: int | None = None
    """The line of a quote that does not end, so that what follows cannot be told apart."""


def rows(
    source: Source, max_line_bytes: int, rejects: Rejects, *, delimiter: str, quoted: bool
) -> Iterator[Row]:
    """The records of a file, the header too, faulty ones included; blank lines have no fields.

    With `quoted`, quotes are doubled inside quotes, which may hold line ends (RFC 4180), else they
    mean nothing. A line that is too long is a reject at once.
    """
    lines = _RecordLines(source, max_line_bytes, rejects)
    if quoted:
        yield from _quoted_rows(lines, max_line_bytes, delimiter)
        return
    while (line := lines.next_record()) is not None:
        # Not by `csv`, for which also a carriage return inside a line ends it.
        text = line.removesuffix("\n").removesuffix("\r")
        yield Row(lines.first_line, text.split(delimiter) if text else [], lines.fault)


def _quoted_rows(lines: _RecordLines, max_line_bytes: int, delimiter: str) -> Iterator[Row]:
    # The limit is the process's own; raising it takes nothing from other users of the module.
    csv.field_size_limit(max(csv.field_size_limit(), max_line_bytes))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    whole_fields = _whole_fields(delimiter)
    while True:
        lines.start_record()
        fields: list[str] = []
        open_quote = None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault: tuple[str, str] | None = ("broken row", str(error))
            if lines.have_ended or lines.num_held > _FEW_LINES:
                open_quote = lines.after(whole_fields)
        except _OpenQuote:
            detail = f"a quote does not end within {max_line_bytes} bytes; skipped these"
            fault = ("broken row", detail)
            open_quote = lines.after(whole_fields)
        else:
            fault = lines.fault
        yield Row(lines.first_line, fields, fault, open_quote)


def _whole_fields(delimiter: str) -> re.Pattern[str]:
    """A record up to the field that does not end."""
    quoted = r'"[^"]*+(?:""[^"]*+)*+"'
    bare = rf'[^"{delimiter}][^{delimiter}]*+'
    return re.compile(f"(?:(?:{quoted}|{bare}|){delimiter})*+")


class _OpenQuote(Exception):
    """A quoted field does not end within the limit."""


class _RecordLines:
    """The lines that a reader asks for, and what it used up for the record at hand."""

    def __init__(self, source: Source, max_line_bytes: int, rejects: Rejects) -> None:
        self.first_line = 1
        self.fault: tuple[str, str] | None = None
        """The kind and the detail of bytes that are no text."""
        self.have_ended = False
        self._held: list[str] = []
        self._line = 0
        self._size = 0
        self._limit = max_line_bytes + 1  # with the line's end
        self._lines = self._read(source, max_line_bytes, rejects)

    @property
    def num_held(self) -> int:
        """Lines of the record so far."""
        return len(self._held)

    def start_record(self) -> None:
        self.first_line = self._line + 1
        self.fault = None
        self._held = []
        self._size = 0

    def next_record(self) -> str | None:
        """A line that is a record by itself; None after the last."""
        self.start_record()
        return next(self, None)

    def after(self, beginning: re.Pattern[str]) -> int:
        """The line in which that much of the record ends."""
        held = "".join(self._held)
        found = beginning.match(held)
        return self.first_line + (0 if found is None else held.count("\n", 0, found.end()))

    def __iter__(self) -> _RecordLines:
        return self

    def __next__(self) -> str:
        following = next(self._lines, None)
        if following is None:
            self.have_ended = True
            raise StopIteration
        data, offset = following
        self._size += len(data)
        if self._size > self._limit:
            raise _OpenQuote
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            at = error.start
            detail = f"byte 0x{data[at]:02x} at offset {offset + at} ({error.reason})"
            self.fault = ("not UTF-8", detail)
            text = data.decode(errors="replace")
        self._held.append(text)
        return text

    def _read(
        self, source: Source, max_line_bytes: int, rejects: Rejects
    ) -> Iterator[tuple[bytes, int]]:
        for group in read_lines(source, max_line_bytes, rejects):
            self._line = group.line - 1
            offset = group.offset
            for data in group.data.removesuffix(b"\n").split(b"\n"):
                self._line += 1
                if self._size == 0:
                    self.first_line = self._line  # lines between may have been rejected
                yield data + b"\n", offset
                offset += len(data) + 1
