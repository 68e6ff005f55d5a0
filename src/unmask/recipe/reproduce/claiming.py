"""Whose runs a folder holds."""

from __future__ import annotations

import json
from pathlib import Path

from unmask.errors import UsageError, writing


def claim(folder: Path, model_sha256: str) -> None:
    """Writes down whose runs the folder holds.

    Raises:
        UsageError: They are another model's.
    """
    note = folder / "model.json"
    if note.is_file():
        if json.loads(note.read_text(encoding="utf-8"))["sha256"] != model_sha256:
            raise UsageError(
                f"{folder}: was run with another model of this name; its figures would stand in "
                "one table with others. Choose another --output, or delete the folder."
            )
        return
    with writing(note):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps({"sha256": model_sha256}) + "\n", encoding="utf-8")
