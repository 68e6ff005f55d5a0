"""The checkpoints of one run: `checkpoint-<step>` folders side by side."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path

from unmask.checkpoint.durable import TEMPORARY, verify
from unmask.errors import DataError

logger = logging.getLogger(__name__)

_CHECKPOINT = re.compile(r"checkpoint-(\d{1,18})")
MODEL_FOLDER = "model"
"""Where a finished run keeps its model, within the run's folder."""
GENERATOR_FOLDER = "generator"
"""Where a run of replaced token detection keeps what proposed its tokens."""
BEST_FOLDER = "best"
"""Where a run keeps its best weights so far, if it chooses any."""
_LEFTOVER = re.compile(rf"(checkpoint-\d{{1,18}}|{MODEL_FOLDER}|{BEST_FOLDER})\.tmp-.*")


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
    _sweep(run)


def tidy(run: Path) -> None:
    """Deletes what only an unfinished run needs: checkpoints, then the best weights.

    A kill in its midst leaves whole checkpoints, with the best weights beside them, or none. Call
    it once the model is durable, by the process that holds the run's lock, if it is there at all.
    """
    for path in checkpoints(run):
        aside = path.with_name(f"{path.name}{TEMPORARY}finished")
        path.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
    shutil.rmtree(run / BEST_FOLDER, ignore_errors=True)
    if run.is_dir():
        _sweep(run)


def _sweep(run: Path) -> None:
    for path in run.iterdir():
        if _LEFTOVER.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)
