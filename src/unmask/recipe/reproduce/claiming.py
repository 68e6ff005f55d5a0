"""Whose runs a folder holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from unmask.errors import UsageError, writing


def claim(folder: Path, made_of: Mapping[str, str]) -> None:
    """Writes down what the runs of a folder are made of, hashes by their names.

    Raises:
        UsageError: They are made of something else.
    """
    note = folder / "made-of.json"
    if note.is_file():
        before = json.loads(note.read_text(encoding="utf-8"))
        if changed := [name for name in made_of if before.get(name) != made_of[name]]:
            raise UsageError(
                f"{folder}: was run with another {' and another '.join(changed)}; its figures "
                "would stand in one table with others. Choose another --output, or delete the "
                "folder."
            )
        return
    with writing(note):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{json.dumps(dict(made_of))}\n", encoding="utf-8")


def files_sha256(files: Iterable[Path]) -> str:
    """A hash of the files' bytes, in their order."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
