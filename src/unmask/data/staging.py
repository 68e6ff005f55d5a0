"""A folder that appears whole or not at all."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from unmask.errors import UsageError, writing

_MARK = ".tmp-"


@contextmanager
def staged(output: Path, *, overwrite: bool, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """Gives a temporary folder beside `output`, which becomes `output` if all goes well.

    Where a run is killed, only `<output>.tmp-*` is left, and the next run removes it.

    Args:
        output: Not there, an empty folder, or, to overwrite it, something of ours.
        overwrite: Whether to replace what is there.
        is_ours: Says whether what is there was made by this same kind of run.

    Raises:
        UsageError: The output holds something else, or another run is writing it.
        MachineError: The disk is full, or the folder cannot be written.
    """
    _check_output(output, overwrite=overwrite, is_ours=is_ours)
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{output.name}{_MARK}", dir=output.parent))
        try:
            folder.chmod(0o777 & ~_umask())  # mkdtemp makes it private
            with _locked(folder, output):
                yield folder
                _fsync_all(folder)
                _check_output(output, overwrite=overwrite, is_ours=is_ours)
                _replace(folder, output)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _check_output(output: Path, *, overwrite: bool, is_ours: Callable[[Path], bool]) -> None:
    if not os.path.lexists(output):
        return
    if output.is_symlink() or not output.is_dir():
        raise UsageError(f"{output}: is not a folder; choose another output.")
    if not any(output.iterdir()):
        return
    if not is_ours(output):
        raise UsageError(
            f"{output}: holds something else, which stays untouched; choose another output."
        )
    if not overwrite:
        raise UsageError(f"{output}: is there already; choose another output, or set overwrite.")


@contextmanager
def _locked(folder: Path, output: Path) -> Iterator[None]:
    """Marks the folder as in use while this process lives; removes those of killed runs.

    The lock is on the folder itself, so that no file remains of it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in output.parent.glob(f"{glob.escape(output.name)}{_MARK}*"):
            if path != folder:
                _remove_leftover(path, output)
        yield
    finally:
        os.close(descriptor)


def _remove_leftover(path: Path, output: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError as error:
        raise UsageError(
            f"{output}: another run is writing it (in {path}); wait for that run, or choose "
            "another output."
        ) from error
    finally:
        os.close(descriptor)


def _replace(folder: Path, output: Path) -> None:
    if output.exists():
        old = folder.with_name(f"{folder.name}-old")
        output.rename(old)
        folder.rename(output)
        shutil.rmtree(old, ignore_errors=True)
    else:
        folder.rename(output)
    _fsync(output.parent)


def _fsync_all(folder: Path) -> None:
    for root, _, files in os.walk(folder):
        for name in files:
            _fsync(Path(root, name))
        _fsync(Path(root))


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
