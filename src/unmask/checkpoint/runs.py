"""The checkpoints of one run: `checkpoint-<step>` folders side by side."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path

from unmask.checkpoint.durable import verify
from unmask.errors import DataError

logger = logging.getLogger(__name__)

_CHECKPOINT = re.compile(r"checkpoint-(\d{1,18})")
MODEL_FOLDER = "model"
"""Where a finished run keeps its model, within the run's folder."""
_LEFTOVER = re.compile(rf"(checkpoint-\d{{1,18}}|{MODEL_FOLDER})\.tmp-.*")


def checkpoints(run: Path) -> list[Path]:
    """The run's checkpoints by rising step, whether whole or damaged."""
    if not run.is_dir():
        return []
    steps = {
        path: int(match[1])
        for path in run.iterdir()
        if (match := _CHECKPOINT.fullmatch(path.name)) and path.is_dir()
    }
    return sorted(steps, key=steps.__getitem__)


def is_begun(run: Path) -> bool:
    """Whether there is something to go on from, or a model that a run ended with."""
    return bool(checkpoints(run)) or (run / MODEL_FOLDER).is_dir()


def newest(run: Path) -> Path | None:
    """The latest checkpoint that its manifest confirms; None where there is none.

    Damaged ones are named in a warning and passed over.
    """
    for checkpoint in reversed(checkpoints(run)):
        try:
            verify(checkpoint)
        except DataError as error:
            logger.warning("%s Passing over this checkpoint.", error)
        else:
            return checkpoint
    return None


def prune(run: Path, keep: int) -> None:
    """Deletes all but the `keep` latest checkpoints, and what killed writers left behind.

    Call it after the newest is durable, by the process that holds the run's lock.
    """
    assert keep >= 1, keep
    for path in checkpoints(run)[:-keep]:
        shutil.rmtree(path)
    for path in run.iterdir():
        if _LEFTOVER.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)
