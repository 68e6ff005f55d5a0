"""The folder that a run may write to."""

from __future__ import annotations

from pathlib import Path

from unmask.checkpoint.lock import LOCK
from unmask.checkpoint.runs import checkpoints
from unmask.errors import UsageError
from unmask.train.log import METRICS_FILE

_FIRST = "corpus"
"""With text, the corpus comes before all else, as `corpus` and, when killed, `corpus.*`."""


def require_ours(run: Path) -> None:
    """Refuses a folder in which somebody keeps other things.

    Raises:
        UsageError: It holds something, and no run wrote it.
    """
    there = [path.name for path in run.iterdir()] if run.is_dir() else []
    is_run = {LOCK, METRICS_FILE} & {*there} or checkpoints(run)
    if not is_run and not all(name == _FIRST or name.startswith(f"{_FIRST}.") for name in there):
        raise UsageError(
            f"{run}: holds something else, which stays untouched; choose another --output."
        )
