"""What makes a run the run that it is, and may not change when it is resumed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from unmask.errors import UsageError
from unmask.train.config import TrainConfig

_FREE = {
    "log_every",
    "evaluate_every",
    "save_every",
    "keep_checkpoints",
    "keep_finished",
    "tensorboard",
}
ROUNDING = {"device", "compile"}
"""Training settings that a resumed run may change without becoming another run; the latter, like
the number of processes and threads, change the last digits of its sums."""


class Recipe(Protocol):
    """The settings of a run."""

    @property
    def train(self) -> TrainConfig:
        """How long and how often."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """All settings as JSON has them."""


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """The settings of a run that a resumed run may not change."""
    settings = recipe.model_dump(mode="json")
    settings["train"] = {k: v for k, v in settings["train"].items() if k not in _FREE | ROUNDING}
    return settings


def weights_sha256(module: nn.Module) -> str:
    """A hash of all weights."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()


def require_same(stored: dict[str, Any], wanted: dict[str, Any], place: Path) -> None:
    """Refuses to go on with a run that was another one.

    Raises:
        UsageError: They differ; each difference is named.
    """
    before, now = _flat(stored), _flat(wanted)
    differences = [
        f"  {name}: was {before.get(name)!r}, is {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if differences:
        raise UsageError(
            f"{place}: belongs to another run:\n" + "\n".join(differences) + "\n"
            "Resume with what it was started with, or start anew under another --output."
        )


def _flat(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
