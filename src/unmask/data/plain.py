"""Documents out of plain text: whole files, blocks between blank lines, or lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from unmask.data.config import ReaderConfig
from unmask.data.lines import Lines, read_lines
from unmask.data.rejects import Rejects
from unmask.data.sources import Source

Reader = Callable[[Source, ReaderConfig, Rejects], Iterator[str]]
"""Reads one source as texts; what cannot be read goes to the rejects."""

_BLANK_LINES = re.compile(rb"\n[ \t\r]*\n\s*")


def read(source: Source, config: ReaderConfig, rejects: Rejects) -> Iterator[str]:
    """The documents of a text file."""
    groups = read_lines(source, config.max_line_bytes, rejects)
    if config.documents == "line":
        yield from _each_line(groups, source, rejects)
        return
    num_rejects = len(rejects)
    if config.documents == "block":
        documents = _blocks(groups, config.max_document_bytes, rejects)
    else:
        documents = _whole(groups, config.max_document_bytes, rejects)
    is_empty = True
    for document in documents:
        is_empty = False
        text = decode(document, source, rejects)
        if text is not None:
            yield text
    if is_empty and len(rejects) == num_rejects:
        rejects.num_records += 1
        yield ""  # so that an empty file is counted among the documents without text


def regroup(texts: Iterable[str], config: ReaderConfig, rejects: Rejects) -> Iterator[str]:
    """The documents of a table's records: each record, its blocks or lines, or all as one."""
    if config.documents in (None, "record"):
        for text in texts:
            # A character is at most 4 bytes, so that most texts need not be encoded to know.
            if len(text) * 4 <= config.max_document_bytes:
                yield text
            else:
                whole = (Lines(text.encode(), 1, 0),)
                for part in _whole(whole, config.max_document_bytes, rejects):
                    yield part.data.decode()
        return
    groups: Iterator[Lines] = (Lines(f"{text}\n\n".encode(), 1, 0) for text in texts)
    if config.documents == "file":
        groups = _whole(groups, config.max_document_bytes, rejects)
    elif config.documents == "block":
        groups = _blocks(groups, config.max_document_bytes, rejects)
    for group in groups:
        text = group.data.decode()
        if config.documents == "line":
            yield from (line for line in text.split("\n") if line.strip())
        else:
            yield text


def decode(lines: Lines, source: Source, rejects: Rejects) -> str | None:
    """The text of a record's bytes, its line ends made \\n; None if it was rejected."""
    try:
        text = lines.data.decode()
    except UnicodeDecodeError as error:
        at, kind = error.start, "not UTF-8"
        detail = f"byte 0x{lines.data[at]:02x} at offset {lines.offset + at} ({error.reason})"
    else:
        if "\0" not in text:
            rejects.num_records += 1
            return _with_line_feeds(lines.data).decode() if "\r" in text else text
        at, kind = lines.data.index(b"\0"), "NUL byte"
        detail = f"at offset {lines.offset + at}; is this a binary file, or UTF-16?"
    line = lines.line + lines.data.count(b"\n", 0, at)
    rejects.add(str(source), line, kind, detail, lines.data[max(0, at - 40) : at + 40])
    return None


def _with_line_feeds(data: bytes) -> bytes:
    codes = np.frombuffer(data, np.uint8)
    after_returns = np.flatnonzero(codes[:-1] == ord("\r")) + 1
    if len(codes) and codes[-1] != ord("\r") and (codes[after_returns] == ord("\n")).all():
        return data.translate(None, b"\r")  # several times quicker, and the usual case
    return data.replace(b"\r\n", b"\n")


def _whole(groups: Iterable[Lines], max_bytes: int, rejects: Rejects) -> Iterator[Lines]:
    """All groups as one, or as parts of at most `max_bytes` cut at line ends."""
    held: list[Lines] = []
    size = 0
    parts = 0
    for group in groups:
        for piece in _cut(group, max_bytes):
            if held and size + len(piece.data) > max_bytes:
                yield _join(held)
                held, size = [], 0
                parts += 1
            held.append(piece)
            size += len(piece.data)
    rejects.num_cut_documents += parts > 0
    if held:
        yield _join(held)


def _blocks(groups: Iterable[Lines], max_bytes: int, rejects: Rejects) -> Iterator[Lines]:
    """What stands between blank lines; a block is cut where it grows past `max_bytes`."""
    held = Lines(b"", 1, 0)  # the beginning of a block whose end has not come yet
    num_parts = 0  # of that block, given already

    def cut(block: Lines) -> Iterator[Lines]:
        nonlocal num_parts
        for part in _cut(block, max_bytes):
            num_parts += 1
            rejects.num_cut_documents += num_parts == 2
            yield part

    for group in groups:
        if not held.data:
            held = Lines(b"", group.line, group.offset)
        data = held.data + group.data
        start = len(data) - len(data.lstrip())  # the rest of blank lines in the last group
        if b"\n" in data[:start]:
            num_parts = 0
        for blank in _BLANK_LINES.finditer(data):
            if start < blank.start():
                yield from cut(_within(held, data, start, blank.start()))
                num_parts = 0
            start = max(start, blank.end())
        held = _within(held, data, start, len(data))
        if len(held.data) > max_bytes:
            yield from cut(held)
            held = Lines(b"", 1, 0)
    if held.data.strip():
        yield from cut(held)


def _each_line(groups: Iterable[Lines], source: Source, rejects: Rejects) -> Iterator[str]:
    for group in groups:
        # Nearly always the whole group is good; only else is each line looked at by itself.
        good = b"\0" not in group.data
        try:
            lines = group.data.decode().split("\n") if good else []
        except UnicodeDecodeError:
            good = False
        if good:
            texts = [line.rstrip("\r") for line in lines if line.strip()]
            rejects.num_records += len(texts)
            yield from texts
            continue
        for line in each(group):
            text = decode(line, source, rejects)
            if text is not None and text.strip():
                yield text.rstrip("\r")


def each(group: Lines) -> Iterator[Lines]:
    """The lines of a group one by one, without their ends, blank ones left out."""
    offset = group.offset
    for number, data in enumerate(group.data.split(b"\n"), group.line):
        if data.strip():
            yield Lines(data, number, offset)
        offset += len(data) + 1


def _cut(lines: Lines, max_bytes: int) -> Iterator[Lines]:
    """Parts of at most `max_bytes`, cut at line ends; a longer line stays whole."""
    data, start = lines.data, 0
    while len(data) - start > max_bytes:
        end = data.rfind(b"\n", start, start + max_bytes) + 1 or data.find(b"\n", start) + 1
        if not end:
            break
        yield _within(lines, data, start, end)
        start = end
    if start < len(data):
        yield _within(lines, data, start, len(data)) if start else lines


def _within(origin: Lines, data: bytes, start: int, end: int) -> Lines:
    line = origin.line + data.count(b"\n", 0, start)
    return Lines(data[start:end], line, origin.offset + start)


def _join(held: list[Lines]) -> Lines:
    return Lines(b"".join(lines.data for lines in held), held[0].line, held[0].offset)
