"""Documents out of files, one after another, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from unmask.data import jsonl, plain, tables
from unmask.data.config import ReaderConfig
from unmask.data.rejects import Rejects
from unmask.data.sources import Kind, Source, find

_READERS: dict[Kind, plain.Reader] = {
    "text": plain.read,
    "jsonl": jsonl.read,
    "csv": tables.read_csv,
    "tsv": tables.read_tsv,
    "parquet": tables.read_parquet,
}


def read(paths: Sequence[Path | str], config: ReaderConfig, rejects: Rejects) -> Iterator[str]:
    """The documents of files, folders and globs, in their order; reads as it goes.

    Files are .txt, .md, .jsonl, .csv, .tsv and .parquet, each also .gz and .zst, in UTF-8. What
    cannot be read goes to `rejects`. A document that is too long comes in parts. The texts hold
    neither lone surrogates nor NULs, and their lines end in \\n.

    Raises:
        DataError: Nothing to read, a table without the text column, or too many rejects.
    """
    sources, _ = find(paths)
    yield from read_sources(sources, config, rejects)


def read_sources(
    sources: Sequence[Source], config: ReaderConfig, rejects: Rejects
) -> Iterator[str]:
    """As `read`, for files already found.

    Raises:
        DataError: A table without the text column, or too many rejects.
    """
    for source in sources:
        yield from _READERS[source.kind](source, config, rejects)
    rejects.check()
