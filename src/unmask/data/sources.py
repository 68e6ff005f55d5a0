"""Which files a corpus is read from, and their bytes, decompressed as a stream."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import zstandard

from unmask.data.walk import Files
from unmask.errors import DataError

Kind = Literal["text", "jsonl", "csv", "tsv", "parquet"]
Compression = Literal[".gz", ".zst"]

_KINDS: dict[str, Kind] = {
    ".txt": "text",
    ".md": "text",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
_COMPRESSIONS: dict[str, Compression] = {".gz": ".gz", ".zst": ".zst"}
_CHUNK_BYTES = 2**20
_ZSTD_INPUT_BYTES = 2**8
"""Compressed bytes given to zstd at once: 4 of them can mean 128 KiB (a run-length block), so that
this many mean at most 8 MiB; larger pieces are hardly faster."""


@dataclass(frozen=True)
class Source:
    """One file to read."""

    path: Path
    kind: Kind
    compression: Compression | None
    num_bytes: int
    """Size on disk."""

    def __str__(self) -> str:
        return self.path.as_posix()


class BrokenStream(Exception):
    """A file ends too early or is damaged; what was read before it is good."""


def find(paths: Sequence[Path | str]) -> tuple[list[Source], list[Path]]:
    """Files named, matched by globs, or lying in folders (at any depth), each once.

    The order is that of `paths`, sorted by name within a folder or a glob. Hidden files and
    folders are left out; corpora, tokenizers, models, runs and what runs left over are passed over.

    Returns:
        The sources, and what was passed over: those, and files whose kind is not known.

    Raises:
        DataError: A path that is not there or is a folder of ours, or nothing to read at all.
    """
    if isinstance(paths, str | Path):
        paths = [paths]
    files = Files()
    for path in paths:
        files.add(Path(path))
    sources: list[Source] = []
    ignored = [*files.passed_over]
    for file, named in files.named.items():
        source = _source(file)
        if source is not None:
            sources.append(source)
        elif named:
            raise DataError(f"{file}: cannot tell what this is; expected {_expected()}.")
        else:
            ignored.append(file)
    if not sources:
        shown = ", ".join(str(path) for path in paths)
        raise DataError(
            f"{shown or 'no paths'}: nothing to read ({len(ignored)} other files); "
            f"expected {_expected()}."
        )
    return sources, ignored


def chunks(source: Source) -> Iterator[tuple[bytes, int]]:
    """The decompressed content, in pieces of at most 1 MiB that fall anywhere.

    Returns:
        Pieces, each with the bytes of the file read so far.

    Raises:
        BrokenStream: Cut off, damaged or unreadable; all pieces before it have been yielded.
    """
    try:
        if source.path.exists() and not source.path.is_file():
            raise BrokenStream("is not a regular file")  # opening a pipe might wait for ever
        with source.path.open("rb") as file:
            if source.compression is not None and os.fstat(file.fileno()).st_size == 0:
                raise EOFError  # which gzip and zstd take for an empty text
            for chunk in _DECOMPRESS[source.compression](file):
                yield chunk, file.tell()
    except EOFError as error:
        raise BrokenStream("the compressed file ends too early") from error
    except (gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
        raise BrokenStream(f"the compressed file is damaged ({error})") from error
    except OSError as error:
        raise BrokenStream(f"cannot be read ({error.strerror})") from error


def _plain_chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _gzip_chunks(file: BinaryIO) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file) as stream:
        # `read` would throw away the good part of a chunk when the stream breaks inside it.
        while chunk := stream.read1(_CHUNK_BYTES):
            yield chunk


def _zstd_chunks(file: BinaryIO) -> Iterator[bytes]:
    # The library's stream reader takes a cut-off file for a whole one; its decompressobj tells.
    decompressor = zstandard.ZstdDecompressor(max_window_size=2**27)
    frame = decompressor.decompressobj()
    is_open = False
    held = bytearray()
    try:
        while data := file.read(_ZSTD_INPUT_BYTES):
            while data:
                held += frame.decompress(data)
                data, is_open = frame.unused_data, not frame.eof
                if frame.eof:
                    frame = decompressor.decompressobj()
                while len(held) >= _CHUNK_BYTES:
                    yield bytes(held[:_CHUNK_BYTES])
                    del held[:_CHUNK_BYTES]
    except zstandard.ZstdError:
        yield bytes(held)
        raise
    yield bytes(held)
    if is_open:
        raise EOFError


_DECOMPRESS: dict[Compression | None, Callable[[BinaryIO], Iterator[bytes]]] = {
    None: _plain_chunks,
    ".gz": _gzip_chunks,
    ".zst": _zstd_chunks,
}


def _source(path: Path) -> Source | None:
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    compression = _COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    if compression is not None:
        suffixes.pop()
    kind = _KINDS.get(suffixes[-1]) if suffixes else None
    if kind is None:
        return None
    try:
        num_bytes = path.stat().st_size
    except OSError:
        num_bytes = 0  # reading it will say what is wrong
    return Source(path, kind, compression, num_bytes)


def _expected() -> str:
    return f"{', '.join(_KINDS)}, each also with {' or '.join(_COMPRESSIONS)}"
