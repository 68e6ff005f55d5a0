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

TEMPORARY = ".tmp-"
"""Between an output's name and what tells the run that was writing it."""
_OLD = "-old"


@contextmanager
def staged(output: Path, *, overwrite: bool, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """Gives a temporary folder beside `output`, which becomes `output` if all goes well.

    Where a run is killed, only `<output>.tmp-*` is left, and the next run removes it; what it was
    about to replace is put back first.

    Args:
        output: Not there, an empty folder, or, to overwrite it, something of ours.
        overwrite: Whether to replace what is there.
        is_ours: Says whether what is there was made by this same kind of run.

    Raises:
        UsageError: The output holds something else, or another run is writing it.
        MachineError: The disk is full, or the folder cannot be written.
    """
    with writing(output):
        _restore(output, is_ours)
        _check_output(output, overwrite=overwrite, is_ours=is_ours)
        output.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{output.name}{TEMPORARY}", dir=output.parent))
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
        raise UsageError(f"{output}: is there already; choose another output, or give --overwrite.")


@contextmanager
def _locked(folder: Path, output: Path) -> Iterator[None]:
    """Marks the folder as in use while this process lives; removes those of killed runs.

    The lock is on the folder itself, so that no file remains of it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in output.parent.glob(f"{glob.escape(output.name)}{TEMPORARY}*"):
            if path != folder:
                _remove_leftover(path, output)
        yield
    finally:
        os.close(descriptor)


def _remove_leftover(path: Path, output: Path) -> None:
    if _is_in_use(path):
        raise UsageError(
            f"{output}: another run is writing it (in {path}); wait for that run, or choose "
            "another output."
        )
    shutil.rmtree(path, ignore_errors=True)


def _is_in_use(folder: Path) -> bool:
    """Whether a process that lives has locked it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _restore(output: Path, is_ours: Callable[[Path], bool]) -> None:
    """Puts back what a run, killed in the middle of `_replace`, had moved aside."""
    for old in output.parent.glob(f"{glob.escape(output.name)}{TEMPORARY}*{_OLD}"):
        replacing = old.with_name(old.name.removesuffix(_OLD))
        if not os.path.lexists(output) and is_ours(old) and not _is_in_use(replacing):
            old.rename(output)


def _replace(folder: Path, output: Path) -> None:
    if output.exists():
        old = folder.with_name(f"{folder.name}{_OLD}")
        output.rename(old)
        try:
            folder.rename(output)
        except OSError:
            old.rename(output)
            raise
        # Under its own name it would be taken for whole, even by a run that finds it half removed.
        old.rename(folder)
        shutil.rmtree(folder, ignore_errors=True)
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
