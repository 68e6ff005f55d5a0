"""The processes of a run as one: the first speaks, and holds the folder for all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from unmask.checkpoint.lock import LOCK, RunLock
from unmask.train.distributed import World

REJECTS = "rejects.jsonl"
"""Ends the names of the lists of what could not be read."""
Say = Callable[[str], None]
"""Hears one line at a time of what a run says."""


def on_stderr(line: str) -> None:
    """Prints a line at once, where results are not."""
    print(line, file=sys.stderr, flush=True)


def silent(_: str) -> None:
    """Says nothing."""


def voice(say: Say | None, here: World) -> Say:
    """Who hears this process: `say`, without it stderr; nobody hears any process but the first."""
    return (say or on_stderr) if here.is_first else silent


@contextmanager
def locked(run: Path, here: World) -> Iterator[None]:
    """The run's folder belongs to these processes while the block runs; see `RunLock`.

    A block that fails with nothing to show leaves nothing that was not there before.

    Raises:
        UsageError: Another run has it, which stops every process.
        MachineError: It cannot be made or written.
    """
    with ExitStack() as held:

        def lock() -> None:
            missing = _missing(run)
            before = {path.name for path in run.iterdir()} if run.is_dir() else set()
            held.enter_context(RunLock(run))
            held.push(lambda kind, _error, _trace: _undo(run, before, missing) if kind else None)

        here.first(lock)
        yield


def _missing(run: Path) -> list[Path]:
    """The folders that are made for the run, the innermost first."""
    return [path for path in (run, *run.absolute().parents) if not path.exists()]


def _undo(run: Path, before: set[str], missing: list[Path]) -> None:
    """Takes back what the start of a run has made, unless there is more than that."""
    with suppress(OSError):  # somebody put something there; the failure itself is what counts
        new = [path for path in run.iterdir() if path.name not in before]
        if all(path.name == LOCK or _is_empty_list(path) for path in new):
            for path in new:
                path.unlink()
            for folder in missing:
                folder.rmdir()


def _is_empty_list(path: Path) -> bool:
    """Whether it is a list of rejects without any."""
    return path.name.endswith(REJECTS) and path.is_file() and path.stat().st_size == 0
