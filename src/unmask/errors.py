"""What goes wrong in a user's hands, by exit code: one message, no traceback."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system says where a file cannot grow."""


class UnmaskError(ValueError):
    """A mistake outside our code: what was found, what was expected, where, what to try."""

    exit_code = 1


class UsageError(UnmaskError):
    """A flag, a setting or a call that cannot mean anything."""

    exit_code = 2


class DataError(UnmaskError):
    """A file, a record, a corpus or a checkpoint that is not what it should be."""

    exit_code = 3


class MachineError(UnmaskError):
    """The machine cannot do it: a full disk, a missing package, a device that is not there."""

    exit_code = 4


class Stopped(UnmaskError):
    """The run was asked to stop, has saved its state and can be resumed."""

    exit_code = 5


@contextmanager
def writing(output: Path) -> Iterator[None]:
    """Turns what the system says against writing `output` into one message.

    Raises:
        MachineError: The disk is full, or the place cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            place = output
            if isinstance(error.filename, str):
                named = Path(error.filename).absolute()
                # Temporary files of ours lie beside the output; what lies elsewhere is to blame.
                place = output if named.is_relative_to(output.absolute().parent) else named
            there = next(path for path in (place, *place.absolute().parents) if path.exists())
            free = shutil.disk_usage(there).free
            raise MachineError(
                f"{place}: the disk is full ({free / 2**20:.0f} MiB free on it); nothing was "
                "written. Make room or choose another folder."
            ) from error
        found = error.strerror or error
        where = f", at {error.filename}" if error.filename not in (None, str(output)) else ""
        raise MachineError(
            f"{output}: cannot be written ({found}{where}). Choose another place."
        ) from error
