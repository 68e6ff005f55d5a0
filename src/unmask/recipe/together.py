"""The processes of a run as one: the first speaks, and holds the folder for all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from unmask.checkpoint.lock import RunLock
from unmask.train.distributed import World

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

    Raises:
        UsageError: Another run has it, which stops every process.
        MachineError: It cannot be made or written.
    """
    with ExitStack() as held:

        def lock() -> None:
            held.enter_context(RunLock(run))

        here.first(lock)
        yield
