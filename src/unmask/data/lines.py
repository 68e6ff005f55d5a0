"""Whole lines out of a stream of bytes, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from unmask.data.rejects import Rejects
from unmask.data.sources import BrokenStream, Source, chunks

_BOMS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_UTF8_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Lines:
    """Neighbouring lines, with their line ends."""

    data: bytes
    line: int
    """Number of the first line, from 1."""
    offset: int
    """Byte where they begin in the (decompressed) source."""


def read_lines(source: Source, max_line_bytes: int, rejects: Rejects) -> Iterator[Lines]:
    """Groups of whole lines of about 1 MiB; only \\n ends a line, a byte order mark is dropped.

    A longer line than allowed is rejected and reading goes on after it. Of a source that breaks
    off, the whole lines before that are given, and one reject says so. A source in UTF-16 or
    UTF-32 is one reject.
    """
    splitter = _Splitter(str(source), max_line_bytes, rejects)
    before = 0
    try:
        for chunk, position in chunks(source):
            rejects.bytes_read += position - before
            before = position
            if splitter.offset == 0 and (encoding := _foreign(splitter.begun + chunk[:4])):
                detail = f"convert it to UTF-8 (iconv -f {encoding.lower()} -t utf-8)"
                rejects.add(str(source), None, f"{encoding} text", detail)
                return
            # Lines inside a piece no larger than the limit need no look at their lengths.
            for start in range(0, len(chunk), max_line_bytes):
                yield from splitter.feed(chunk[start : start + max_line_bytes])
    except BrokenStream as error:
        detail = f"{error}; the whole lines before line {splitter.line} were kept"
        rejects.add(str(source), None, "broken file", detail)
        return
    yield from splitter.feed(b"\n", at_end=True)


def _foreign(beginning: bytes) -> str | None:
    return next((name for bom, name in _BOMS.items() if beginning.startswith(bom)), None)


class _Splitter:
    """Holds the beginning of a line until its end has come."""

    def __init__(self, source: str, max_line_bytes: int, rejects: Rejects) -> None:
        self.line = 1
        self.offset = 0
        self._source = source
        self._limit = max_line_bytes
        self._rejects = rejects
        self._parts: list[bytes] = []
        self._size = 0  # may exceed what the parts hold: of an overlong line only one is kept

    @property
    def begun(self) -> bytes:
        """The first bytes of the line that has not ended yet."""
        return self._parts[0][:4] if self._parts else b""

    def feed(self, piece: bytes, *, at_end: bool = False) -> Iterator[Lines]:
        """The lines that a piece (at most the limit) completes; the end completes the last."""
        first = piece.find(b"\n") + 1
        if at_end and self._size == 0:
            return
        if first == 0:
            self._hold(piece)
            return
        if self._size + first - 1 > self._limit:
            self._reject(first)
            piece = piece[first:]
        last = piece.rfind(b"\n") + 1
        if last:
            self._parts.append(b"" if at_end else piece[:last])
            yield self._take()
        if last < len(piece):
            self._hold(piece[last:])

    def _take(self) -> Lines:
        data = b"".join(self._parts)
        lines = Lines(data, self.line, self.offset)
        if self.offset == 0 and data.startswith(_UTF8_BOM):
            lines = Lines(data[len(_UTF8_BOM) :], self.line, len(_UTF8_BOM))
        self.line += data.count(b"\n")
        self.offset += len(data)
        self._parts, self._size = [], 0
        return lines

    def _hold(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= self._limit:
            self._parts.append(piece)
        else:
            del self._parts[1:]
            if not self._parts:
                self._parts.append(piece)

    def _reject(self, rest: int) -> None:
        size = self._size + rest - 1
        detail = f"{size} bytes from byte {self.offset}, expected at most {self._limit}"
        excerpt = self._parts[0][:200] if self._parts else b""
        self._rejects.add(self._source, self.line, "line too long", detail, excerpt)
        self.line += 1
        self.offset += self._size + rest
        self._parts, self._size = [], 0
