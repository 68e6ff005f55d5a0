"""Which file is read, what it is, and its content whole or in lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unmask.data.labelled.config import Format, LabelledConfig
from unmask.data.lines import Lines, read_lines
from unmask.data.plain import decode
from unmask.data.rejects import Rejects
from unmask.data.sources import BrokenStream, Compression, Source, chunks
from unmask.errors import DataError

BLANK = "left out, being blank lines"
"""The note that counts lines without a text."""
Kind = Literal["text", "choice", "tagged", "question"]

_COMPRESSIONS: dict[str, Compression] = {".gz": ".gz", ".zst": ".zst"}
_LISTS: dict[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""Tables whose values may be lists."""
_TABLES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "tsv",
    ".json": "json",
    **_LISTS,
}
_ENDINGS: dict[Kind, dict[str, Format]] = {
    "text": {**_TABLES, ".tree": "trees", ".trees": "trees"},
    "choice": _TABLES,
    "tagged": {".conllu": "conllu", ".conll": "conll", ".csv": "csv", **_LISTS, ".json": "json"},
    "question": {**_LISTS, ".json": "squad"},
}
_FORMATS: dict[Kind, frozenset[Format]] = {
    "text": frozenset({"csv", "tsv", "jsonl", "json", "parquet", "trees"}),
    "choice": frozenset({"csv", "tsv", "jsonl", "json", "parquet"}),
    "tagged": frozenset({"conll", "conllu", "csv", "tsv", "jsonl", "json", "parquet"}),
    "question": frozenset({"squad", "jsonl", "json", "parquet"}),
}
_EXAMPLES = {
    "text": "texts",
    "choice": "texts with choices",
    "tagged": "tagged words",
    "question": "questions",
}


@dataclass(frozen=True)
class LabelledFile:
    """One file of examples."""

    source: Source
    format: Format
    """What it is; never `auto`."""

    def __str__(self) -> str:
        return str(self.source)


def find(path: Path | str, kind: Kind, config: LabelledConfig) -> LabelledFile:
    """The file at `path`, which holds examples of a kind.

    Its ending tells the format, after .gz or .zst; .txt is TSV, or trees if it begins with a
    bracket. Tagged words are CoNLL columns whatever the ending, if no other format is.

    Raises:
        DataError: No such file, or a format that does not hold such examples.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path}: is a folder; expected one file of examples. Name the file.")
    if not path.exists():
        raise DataError(f"{path}: no such file.")
    endings = [suffix.lower() for suffix in path.suffixes[-2:]]
    compression = _COMPRESSIONS.get(endings[-1]) if endings else None
    if compression is not None:
        endings.pop()
    source = Source(path, "text", compression, path.stat().st_size)
    ending = endings[-1] if endings else ""
    found = config.format
    if found == "auto":
        found = _ENDINGS[kind].get(ending, "conll" if kind == "tagged" else "auto")
    if kind == "text" and ending == ".txt" and config.format == "auto" and _begins(source, b"("):
        found = "trees"
    if found not in _FORMATS[kind]:
        what = "cannot tell what this is" if found == "auto" else f"{found} is not a format"
        raise DataError(
            f"{path}: {what} for {_EXAMPLES[kind]}; expected a file ending in "
            f"{', '.join(_ENDINGS[kind])} (each also with {' or '.join(_COMPRESSIONS)}), or "
            f"--data.format {' or '.join(sorted(_FORMATS[kind]))}."
        )
    return LabelledFile(source, found)


def is_lines_of_text(path: Path) -> bool:
    """Whether a file's name ends in .txt, before .gz or .zst."""
    endings = [suffix.lower() for suffix in path.suffixes[-2:]]
    if endings and endings[-1] in _COMPRESSIONS:
        endings.pop()
    return endings[-1:] == [".txt"]


def whole(file: LabelledFile, rejects: Rejects) -> bytes:
    """The decompressed content, without a byte order mark.

    Raises:
        DataError: Cut off, damaged or unreadable.
    """
    parts: list[bytes] = []
    before = 0
    try:
        for chunk, position in chunks(file.source):
            rejects.bytes_read += position - before
            before = position
            parts.append(chunk)
    except BrokenStream as error:
        raise DataError(f"{file}: {error}. Copy the file again.") from error
    return b"".join(parts).removeprefix(b"\xef\xbb\xbf")


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end."""

    number: int
    """From 1."""
    text: str
    """Blank if it was rejected."""
    is_good: bool
    """False if it was rejected."""


def lines(file: LabelledFile, config: LabelledConfig, rejects: Rejects) -> Iterator[Line]:
    """Every line, blank ones too; only \\n and \\r\\n end one.

    Lines that are not UTF-8, too long, or hold a NUL are rejected; of those too long nothing is
    given. Counts no good records.
    """
    for group in read_lines(file.source, config.max_line_bytes, rejects):
        try:
            texts = group.data.decode().removesuffix("\n").split("\n")
            good = b"\0" not in group.data
        except UnicodeDecodeError:
            good = False
        if good:
            for number, text in enumerate(texts, group.line):
                yield Line(number, text.removesuffix("\r"), True)
            continue
        offset = group.offset
        for number, data in enumerate(group.data.removesuffix(b"\n").split(b"\n"), group.line):
            line = decode(Lines(data, number, offset), file.source, rejects)
            offset += len(data) + 1
            rejects.num_records -= line is not None
            yield Line(number, (line or "").removesuffix("\r"), line is not None)


def texts_by_line(file: LabelledFile, config: LabelledConfig, rejects: Rejects) -> Iterator[Line]:
    """The lines that hold a text, as good records; blank ones are counted in `rejects.notes`."""
    for line in lines(file, config, rejects):
        if not line.is_good:
            continue
        rejects.num_records += 1
        if line.text.strip():
            yield line
        else:
            rejects.notes[BLANK] += 1


def _begins(source: Source, wanted: bytes) -> bool:
    try:
        chunk, _ = next(chunks(source), (b"", 0))
    except BrokenStream:
        return False  # reading it will say what is wrong
    return chunk.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(wanted)
