"""A model with all that belongs to it, as it lies in one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unmask.models.config import BertConfig
from unmask.tasks.task import Model, Task
from unmask.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Bundle:
    """What `load` gives and `save` takes."""

    model: Model
    """In evaluation mode when loaded; `train()` it before training."""
    task: Task | None
    """What the heads can do; None where there is only an encoder."""
    tokenizer: Tokenizer | None
    """None where the folder holds none."""
    config: BertConfig
    folder: Path | None
    """Where it was loaded from; None for a model made in memory."""
