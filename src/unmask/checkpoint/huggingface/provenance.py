"""unmask.json: what Hugging Face's files have no place for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unmask.checkpoint.safe import MAX_JSON_BYTES, contained, read_object, write_object

PROVENANCE = "unmask.json"


def read_provenance(folder: Path) -> dict[str, Any] | None:
    """How the model was made and for which task, None where unmask.json is not there.

    Raises:
        DataError: unmask.json is broken.
    """
    file = contained(folder, PROVENANCE)
    return read_object(file, MAX_JSON_BYTES) if file.is_file() else None


def write_provenance(folder: Path, fields: Mapping[str, Any]) -> None:
    """Writes unmask.json.

    Raises:
        DataError: It would be too large to be read again.
        ValueError: NaN or infinity, which JSON has no word for.
    """
    write_object(folder / PROVENANCE, fields, MAX_JSON_BYTES)
