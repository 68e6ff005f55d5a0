"""Loading and saving whole models, and the state of runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unmask.checkpoint.bundle import Bundle as Bundle
from unmask.checkpoint.durable import MANIFEST, verify
from unmask.checkpoint.durable import write_folder as write_folder
from unmask.checkpoint.hub import download
from unmask.checkpoint.huggingface.configuration import CONFIG
from unmask.checkpoint.huggingface.folder import load_folder, save_folder
from unmask.checkpoint.runs import MODEL_FOLDER as MODEL_FOLDER
from unmask.checkpoint.runs import checkpoints
from unmask.checkpoint.runs import newest as newest
from unmask.checkpoint.runs import prune as prune
from unmask.checkpoint.state import TrainingState as TrainingState
from unmask.checkpoint.state import load_training_state as load_training_state
from unmask.checkpoint.state import save_training_state as save_training_state
from unmask.errors import DataError

_ROOM_FOR_TEXT = 16 << 20
"""Bytes allowed for everything but the weights when room is checked beforehand."""


def locate(model: str | Path) -> Path:
    """The model's folder: a folder itself, a run's model or newest whole checkpoint, or a download.

    Raises:
        UsageError: Neither a folder nor a possible hub id.
        DataError: A run without a whole checkpoint, or a model that the hub does not have.
    """
    folder = Path(model).expanduser()
    if not os.path.isdir(folder):  # noqa: PTH112  (Path's own fails on what is too long for a name)
        if os.path.exists(folder):  # noqa: PTH110
            raise DataError(f"{folder}: a file; expected the model's folder.")
        return download(os.fspath(model))
    if (folder / CONFIG).exists():
        return folder
    if (folder / MODEL_FOLDER / CONFIG).exists():
        return folder / MODEL_FOLDER
    if not checkpoints(folder):
        return folder
    found = newest(folder)
    if found is None:
        raise DataError(
            f"{folder}: none of the run's {len(checkpoints(folder))} checkpoints is whole. "
            "Copy the run again, or start it afresh."
        )
    return found


def load(model: str | Path) -> Bundle:
    """Reads a model from a folder, a run's folder, or the hub; float32, in evaluation mode.

    Raises:
        UsageError: Neither a folder nor a possible hub id.
        DataError: A file is missing, altered, broken, or does not fit the others.
        MachineError: The hub cannot be reached.
    """
    folder = locate(model)
    if (folder / MANIFEST).exists():
        verify(folder, ".safetensors")
    return load_folder(folder)


def save(bundle: Bundle, folder: Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Writes the model in Hugging Face's layout, whole or not at all.

    `provenance` says how the model was made (resolved recipe, versions), for unmask.json.

    Raises:
        MachineError: The disk is full or the folder cannot be written.
        UsageError: Something else lies there.
    """
    size = sum(parameter.nbytes for parameter in bundle.model.parameters())
    write_folder(
        folder,
        lambda temporary: save_folder(bundle, temporary, provenance=provenance),
        expected_bytes=size + _ROOM_FOR_TEXT,
    )
