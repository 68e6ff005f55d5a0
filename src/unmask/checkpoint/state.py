"""What a run needs beside its weights to go on as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from unmask.checkpoint.safe import MAX_INDEX_BYTES, read_object
from unmask.checkpoint.tensors import read_tensors, write_tensors

OPTIMIZER = "optimizer.safetensors"
RNG = "rng.safetensors"
BESIDE = "beside.safetensors"
STATE = "trainer_state.json"


@dataclass(frozen=True)
class TrainingState:
    """The training's state, tensors on the CPU."""

    optimizer_tensors: dict[str, Tensor]
    """Under the names that they were saved by."""
    state: dict[str, Any]
    """JSON: step, cursor, history; floats come back bit for bit."""
    rng: dict[str, Tensor]
    """(S,) uint8 each: generators' states."""
    beside: dict[str, Tensor]
    """Weights that are trained and not published, by name; empty for most."""


def save_training_state(
    folder: Path,
    *,
    optimizer_tensors: Mapping[str, Tensor],
    state: Mapping[str, Any],
    rng: Mapping[str, Tensor],
    beside: Mapping[str, Tensor] | None = None,
) -> None:
    """Writes optimizer.safetensors, rng.safetensors and trainer_state.json into `folder`.

    And beside.safetensors, where weights are trained `beside` those of the folder.

    Raises:
        ValueError: `state` holds NaN or infinity, which JSON has no word for.
    """
    write_tensors(folder / OPTIMIZER, optimizer_tensors)
    write_tensors(folder / RNG, rng)
    if beside:
        write_tensors(folder / BESIDE, beside)
    text = json.dumps(dict(state), indent=2, allow_nan=False) + "\n"
    (folder / STATE).write_text(text, encoding="utf-8")


def load_training_state(folder: Path) -> TrainingState:
    """Reads what `save_training_state` wrote.

    Raises:
        DataError: A file is missing or broken.
    """
    return TrainingState(
        optimizer_tensors=read_tensors(folder / OPTIMIZER),
        state=read_object(folder / STATE, MAX_INDEX_BYTES),
        rng=read_tensors(folder / RNG),
        beside=read_tensors(folder / BESIDE) if (folder / BESIDE).is_file() else {},
    )
