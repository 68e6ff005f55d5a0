"""One run a folder."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from unmask.errors import UsageError, writing

LOCK = "run.lock"


class RunLock:
    """Holds `run.lock` in a run's folder while the block runs.

    The kernel drops the lock with the process, so a killed run locks nobody out; the file stays
    and means nothing by itself.
    """

    def __init__(self, run: Path) -> None:
        self.file = run / LOCK
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Takes the lock.

        Raises:
            UsageError: Another process has it; its number and machine are named.
            MachineError: The folder cannot be made or written.
        """
        with writing(self.file.parent):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise UsageError(
                f"{self.file.parent}: process {holder.get('pid', '?')} on "
                f"{holder.get('host', '?')} is writing this run; two would destroy each other's "
                "checkpoints. Wait for it, stop it, or choose another output folder."
            ) from error
        os.ftruncate(descriptor, 0)
        holder = {"pid": os.getpid(), "host": socket.gethostname()}
        os.write(descriptor, json.dumps(holder).encode())
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drops it."""
        assert self._descriptor is not None
        os.close(self._descriptor)
        self._descriptor = None


def _holder(descriptor: int) -> dict[str, Any]:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:  # the holder has the lock but has not written yet
        return {}
    return holder if isinstance(holder, dict) else {}
