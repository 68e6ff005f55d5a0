"""A folder that is there whole, as its manifest says, or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unmask.checkpoint.safe import MAX_INDEX_BYTES, read_object
from unmask.errors import DISK_FULL, DataError, MachineError, UsageError

MANIFEST = "MANIFEST.json"
TEMPORARY = ".tmp-"
"""Between a folder's name and what tells the process that was writing it."""


def write_folder(
    final: Path, write: Callable[[Path], None], *, expected_bytes: int | None = None
) -> None:
    """Makes the folder `final` out of what `write` puts into the folder that it is handed.

    Everything reaches the disk before the name does; a kill leaves a `NAME.tmp-*` at most. A
    folder that an earlier call made, and nobody added to, is replaced; between two renames neither
    has the name, and a kill just then leaves the earlier one as `NAME.tmp-*-old`.

    Args:
        final: The folder to appear.
        write: Writes the files, with folders inside if it likes.
        expected_bytes: What it is going to take, if known; refused at once where it cannot fit.

    Raises:
        MachineError: The disk is full or the folder cannot be written; nothing changed.
        UsageError: Something else lies at `final`.
    """
    final = Path(os.path.abspath(final))  # noqa: PTH100  (a link stays a link)
    temporary = final.with_name(f"{final.name}{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}")
    _check_replaceable(final)
    try:
        with _named_errors(final, temporary, expected_bytes):
            final.parent.mkdir(parents=True, exist_ok=True)
            _check_room(final.parent, expected_bytes)
            temporary.mkdir()
            write(temporary)
            _write_manifest(temporary)
            _replace(temporary, final)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def verify(folder: Path, suffix: str = "") -> None:
    """Compares the folder with its manifest: every file, or those that end in `suffix`.

    Raises:
        DataError: No manifest, or a file that is missing, truncated or altered.
    """
    for name, entry in _manifest(folder).items():
        if not name.endswith(suffix):
            continue
        file = folder / name
        if not file.is_file():
            raise DataError(f"{file}: missing, though {MANIFEST} names it.")
        size = file.stat().st_size
        if size != entry["size"]:
            raise DataError(
                f"{file}: has {size} bytes, {MANIFEST} says {entry['size']}. Take another copy; if "
                f"you altered it on purpose, delete {MANIFEST}."
            )
        if _sha256(file) != entry["sha256"]:
            raise DataError(
                f"{file}: altered since it was written (its sha256 is not {MANIFEST}'s). Take "
                f"another copy; if you altered it on purpose, delete {MANIFEST}."
            )


def _manifest(folder: Path) -> dict[str, Any]:
    place = folder / MANIFEST
    files = read_object(place, MAX_INDEX_BYTES).get("files")
    if not isinstance(files, dict):
        raise DataError(f"{place}: no `files`; expected sizes and hashes by file name.")
    for name, entry in files.items():
        inside = name and not Path(name).is_absolute() and ".." not in Path(name).parts
        if not inside or not isinstance(entry, dict) or entry.keys() != {"size", "sha256"}:
            raise DataError(f"{place}: broken entry {name!r:.200}.")
    return files


def _write_manifest(folder: Path) -> None:
    """The manifest comes last, so that a folder with one had all else written before it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    entries = {}
    for file in files:
        _sync(file)
        name = file.relative_to(folder).as_posix()
        entries[name] = {"size": file.stat().st_size, "sha256": _sha256(file)}
    text = json.dumps({"files": entries}, indent=2, sort_keys=True) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    _sync(folder / MANIFEST)
    for inner in (*(path for path in folder.rglob("*") if path.is_dir()), folder):
        _sync(inner)


def _replace(temporary: Path, final: Path) -> None:
    old = None
    if final.exists():
        old = temporary.with_name(f"{temporary.name}-old")
        final.rename(old)
    try:
        temporary.rename(final)
    except OSError:
        if old is not None:
            old.rename(final)
        raise
    _sync(final.parent)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def _check_replaceable(final: Path) -> None:
    if not os.path.lexists(final):
        return
    if final.is_symlink() or not final.is_dir():
        raise UsageError(f"{final}: is not a folder; choose another name.")
    there = {path.relative_to(final).as_posix() for path in final.rglob("*") if not path.is_dir()}
    if not there:
        return
    ours = {MANIFEST, *_manifest(final)} if MANIFEST in there else set()
    foreign = sorted(there - ours)
    if foreign:
        raise UsageError(
            f"{final}: holds files that were not written by saving ({', '.join(foreign[:3])}), "
            "and replacing the folder would lose them. Choose another folder, or move them."
        )


def _check_room(parent: Path, expected_bytes: int | None) -> None:
    if expected_bytes is not None and shutil.disk_usage(parent).free < expected_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _named_errors(final: Path, temporary: Path, expected_bytes: int | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise MachineError(
                f"{final}: cannot be written ({error.strerror or error}); nothing changed."
            ) from error
        free = shutil.disk_usage(_existing(final.parent)).free
        written = sum(path.stat().st_size for path in temporary.rglob("*") if path.is_file())
        needed = written if expected_bytes is None else max(expected_bytes, written)
        more = "at least " if expected_bytes is None else ""
        raise MachineError(
            f"{final}: no room to write it ({error.strerror}): it needs {more}{needed} bytes, and "
            f"{free + written} are free. Nothing changed; earlier checkpoints are as they were. "
            "Make room, or choose another folder."
        ) from error


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
