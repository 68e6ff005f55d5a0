"""A file of records, one a line; what is wrong with one goes to the rejects."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from unmask.data.labelled.labels import Fault
from unmask.data.labelled.tables import broken
from unmask.data.lines import read_lines
from unmask.data.plain import decode, each
from unmask.data.rejects import Rejects
from unmask.data.retrieval.config import RetrievalConfig
from unmask.data.sources import Compression, Source
from unmask.errors import DataError

logger = logging.getLogger(__name__)

T = TypeVar("T")

COMPRESSIONS: dict[str, Compression] = {".gz": ".gz", ".zst": ".zst"}


def open_source(path: Path | str) -> Source:
    """The file at `path`, decompressed by the ending of its name.

    Raises:
        DataError: No such file.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path}: is a folder; expected a file. Name the file.")
    if not path.exists():
        raise DataError(f"{path}: no such file.")
    return Source(path, "text", COMPRESSIONS.get(path.suffix.lower()), path.stat().st_size)


def text_lines(
    source: Source, config: RetrievalConfig, rejects: Rejects
) -> Iterator[tuple[int, str]]:
    """Each line that is not blank, with its number, without its end; counts no good records."""
    for group in read_lines(source, config.max_line_bytes, rejects):
        for line in each(group):
            text = decode(line, source, rejects)
            if text is not None:
                rejects.num_records -= 1  # counted by `decode`
                yield line.line, text.removesuffix("\r")


def parsed(
    source: Source,
    lines: Iterator[tuple[int, str]],
    parse: Callable[[str, int], T],
    rejects: Rejects,
) -> Iterator[T]:
    """What each line means, given its number; one in which `parse` finds a `Fault` is rejected."""
    for number, text in lines:
        try:
            record = parse(text, number)
        except Fault as fault:
            rejects.add(str(source), number, fault.kind, fault.detail, text)
            continue
        rejects.num_records += 1
        yield record


def checked(source: Source, records: Iterator[T], what: str, rejects: Rejects) -> Iterator[T]:
    """The records; at the end, whether there were enough good ones, and what was noted of them.

    Raises:
        DataError: The file breaks off, too many rejects, or no record at all.
    """
    before = rejects.notes.copy()
    num_broken = rejects.reasons["broken file"]
    is_empty = True
    for record in records:
        is_empty = False
        yield record
    if rejects.reasons["broken file"] > num_broken:
        reason = rejects.first_of["broken file"].reason
        why = reason.removeprefix("broken file: ").partition("; ")[0]
        raise broken(source, why, rejects.num_records - 1)
    rejects.check()
    if is_empty:
        raise _empty(source, what, rejects)
    for note, count in (rejects.notes - before).items():
        logger.warning("%s: %d %s %s", source, count, what, note)


def _empty(source: Source, what: str, rejects: Rejects) -> DataError:
    why = next((reject for reject in rejects.first if reject.source == str(source)), None)
    told = f"; {why.place}: {why.reason}" if why is not None else ""
    return DataError(f"{source}: holds no {what}{told}. Expected at least one; is it empty?")
