"""A file that appears whole or not at all."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

from unmask.errors import DataError, writing


@contextmanager
def whole_path(path: Path | str) -> Iterator[Path]:
    """Gives a path beside `path` to write a file at, which becomes `path` if all goes well.

    Raises:
        MachineError: The disk is full, or the place cannot be written.
    """
    path = Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
        try:
            yield temporary
            _fsync(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _fsync(path.parent)


@contextmanager
def whole_file(path: Path | str) -> Iterator[TextIO]:
    """Gives a file of UTF-8 to write, which becomes `path` if all goes well; .gz is compressed.

    The same text gives the same bytes.

    Raises:
        DataError: A text that UTF-8 cannot hold.
        MachineError: The disk is full, or the place cannot be written.
    """
    path = Path(path)
    try:
        with (
            whole_path(path) as temporary,
            temporary.open("wb") as file,
            _text(file, is_compressed=path.suffix.lower() == ".gz") as text,
        ):
            yield text
    except UnicodeEncodeError as error:
        raise DataError(
            f"{path}: not written, for a text holds U+{ord(error.object[error.start]):04X}, "
            "half of a character, which UTF-8 cannot hold. Mend that text."
        ) from None


@contextmanager
def _text(file: IO[bytes], *, is_compressed: bool) -> Iterator[TextIO]:
    if not is_compressed:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
        yield text
        text.flush()
        text.detach()
        return
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as wrapped,
    ):
        yield wrapped


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
