"""Elements out of a long XML file, one after another, in bounded memory.

TREC's files are rarely one XML document: many have no root, and one bad character would end the
reading of a whole file. So elements are cut out by their tags, and each is parsed by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from unmask.data.lines import Lines, read_lines
from unmask.data.plain import decode
from unmask.data.rejects import Rejects
from unmask.data.sources import Source

_BETWEEN = re.compile(rb"<\?xml[^>]*\?>|</?[A-Za-z][\w.-]*\s*>|<!--.*?-->", re.DOTALL)
"""What may stand outside the elements: a declaration, the tags of a root, comments."""
_XML_LINE_END = re.compile(r"\r\n?|\n")
_SHOWN_BEFORE = 40
"""Characters of the excerpt before the fault."""
_NO_LINE_END = re.compile(rb"[^\n]")


@dataclass(frozen=True)
class Element:
    """One element whose children are fields of text."""

    line: int
    """Where it begins."""
    position: int
    """The how-manyth of the file it is, from 1, those counted that were rejected."""
    fields: dict[str, str]
    """The text of each child by its tag in lower case, stripped; those of one tag are joined."""
    excerpt: str
    """How it begins."""


def read_elements(source: Source, tag: str, max_bytes: int, rejects: Rejects) -> Iterator[Element]:
    """The elements of a tag, whatever its case, that are not nested.

    One that is not well-formed is rejected with the line of the fault; so is what stands between
    the elements, and an element that is too long, is not closed, or was not opened. Counts no good
    records. No document type is read, hence no entity is ever expanded.
    """
    cutter = _Cutter(source, tag, max_bytes, rejects)
    for group in read_lines(source, max_bytes, rejects):
        for position, piece in cutter.feed(group):
            text = decode(piece, source, rejects)
            if text is None:
                continue
            rejects.num_records -= 1  # counted by `decode`; a reject below counts itself
            try:
                fields = _fields(ElementTree.fromstring(text))
            except ElementTree.ParseError as error:
                _reject(error, piece, text, source, rejects)
            else:
                yield Element(piece.line, position, fields, text[:200])
    cutter.end()


def _reject(
    error: ElementTree.ParseError, piece: Lines, text: str, source: Source, rejects: Rejects
) -> None:
    line, column = error.position
    found = str(error).partition(": line")[0]
    detail = f"{found} at column {column + 1}; is an `&` or `<` not escaped?"
    # To a parser of XML a lone \r ends a line too; to us, and to editors, it does not.
    starts = [0, *(end.end() for end in _XML_LINE_END.finditer(text))]
    start = starts[min(line, len(starts)) - 1]
    excerpt = text[start + max(0, column - _SHOWN_BEFORE) :].partition("\n")[0]
    place = piece.line + text.count("\n", 0, start)
    rejects.add(str(source), place, "malformed XML", detail, excerpt)


def _fields(element: ElementTree.Element) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for child in element:
        text = "".join(child.itertext()).strip()
        found.setdefault(child.tag.lower(), []).append(text)
    return {name: "\n".join(texts) for name, texts in found.items()}


class _Cutter:
    """Holds the beginning of an element until its end has come."""

    def __init__(self, source: Source, tag: str, max_bytes: int, rejects: Rejects) -> None:
        self._source = str(source)
        self._tag = tag
        self._tags = re.compile(rb"<(/?)%s\s*>" % tag.encode(), re.IGNORECASE)
        self._limit = max_bytes
        self._rejects = rejects
        self._num_opened = 0
        self._opened: Lines | None = None  # the element begun, with its first bytes only
        self._parts: list[bytes] = []
        self._size = 0  # also of what was not kept, in an element that is too long

    def feed(self, group: Lines) -> Iterator[tuple[int, Lines]]:
        """The elements that whole lines complete, and which of the file each is."""
        data, start, line = group.data, 0, group.line
        for match in self._tags.finditer(data):
            at, end = match.span()
            here = line + data.count(b"\n", start, at)
            if not match[1]:
                self._take(data[start:at], line)
                self._open(Lines(match[0], here, group.offset + at), here)
                start, line = at, here
                continue
            self._take(data[start:end] if self._opened else data[start:at], line)
            yield from self._close(here)
            start, line = end, here + data.count(b"\n", at, end)
        self._take(data[start:], line)

    def end(self) -> None:
        """Rejects an element that the file breaks off in."""
        if self._opened is not None:
            detail = f"<{self._tag}> in line {self._opened.line} is not closed"
            self._rejects.add(self._source, None, "broken file", detail)

    def _take(self, data: bytes, line: int) -> None:
        """What stands inside an element, or outside of them, where nothing should."""
        if self._opened is not None:
            self._size += len(data)
            if self._size <= self._limit:
                self._parts.append(data)
            return
        rest = _BETWEEN.sub(lambda found: _NO_LINE_END.sub(b" ", found[0]), data)
        if rest.strip():
            at = len(rest) - len(rest.lstrip())
            line += data.count(b"\n", 0, at)
            kind = f"text outside of <{self._tag}>"
            self._rejects.add(self._source, line, kind, "", rest[at : at + 200])

    def _open(self, beginning: Lines, line: int) -> None:
        if self._opened is not None:
            kind, detail = f"<{self._tag}> is not closed", f"the next one begins in line {line}"
            self._rejects.add(self._source, self._opened.line, kind, detail, self._beginning())
        self._num_opened += 1
        self._opened, self._parts, self._size = beginning, [], 0

    def _close(self, line: int) -> Iterator[tuple[int, Lines]]:
        if self._opened is None:
            self._rejects.add(self._source, line, f"</{self._tag}> without <{self._tag}>")
        elif self._size <= self._limit:
            data = b"".join(self._parts)
            yield self._num_opened, Lines(data, self._opened.line, self._opened.offset)
        else:
            detail = f"{self._size} bytes, expected at most {self._limit}"
            kind = f"<{self._tag}> too long"
            self._rejects.add(self._source, self._opened.line, kind, detail, self._beginning())
        self._opened, self._parts, self._size = None, [], 0

    def _beginning(self) -> bytes:
        return b"".join(self._parts[:1])[:200]
