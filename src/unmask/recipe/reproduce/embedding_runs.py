"""Training a sentence encoder as one run of a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unmask.checkpoint import native
from unmask.recipe.config import Finetune
from unmask.recipe.finetune import finetune
from unmask.recipe.outcome import SCORES_FILE
from unmask.recipe.together import Say


def trained(
    run: Path,
    model: Path | str,
    train: Path,
    validation: Path,
    test: Path | None = None,
    *,
    settings: Mapping[str, Any],
    learning_rate: float | None = None,
    loop: Mapping[str, Any],
    say: Say,
) -> Path:
    """The folder of a run's model, which is made, gone on with, or finished already.

    `settings` are the task's, `loop` those of the training loop.
    """
    folder = run / native.MODEL_FOLDER
    if not (folder / SCORES_FILE).is_file():
        optim = {} if learning_rate is None else {"learning_rate": learning_rate}
        recipe = Finetune.model_validate(
            {
                "task": "embedding",
                "settings": dict(settings),
                "baselines": False,
                "pictures": False,
                "optim": optim,
                "train": {"keep_checkpoints": 1, **loop},
            }
        )
        finetune(train, model, run, recipe, validation=validation, test=test, resume=True, say=say)
    return folder
