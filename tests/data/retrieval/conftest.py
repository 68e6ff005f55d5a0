"""Writes small files and reads them as parts of a test collection."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from unmask.data.rejects import Rejects
from unmask.data.retrieval.config import RetrievalConfig

Read = Callable[..., tuple[list[Any], Rejects]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes | str], Path]:
    """Writes a file, and gives its path."""

    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def read() -> Read:
    """Reads a file by one of the readers; all records and the rejects."""

    def read(
        reader: Callable[..., Iterator[Any]], path: Path, **settings: Any
    ) -> tuple[list[Any], Rejects]:
        config = RetrievalConfig.model_validate(settings)
        rejects = Rejects(config.max_reject_rate)
        return list(reader(path, config, rejects)), rejects

    return read


@pytest.fixture
def real() -> Callable[[str], Path]:
    """A published file or folder; skips where the data is not there."""

    def real(name: str) -> Path:
        folder = os.environ.get("UNMASK_DATA")
        if not folder:
            pytest.skip("UNMASK_DATA is not set: no published collections to read")
        path = Path(folder, name)
        if not path.exists():
            pytest.skip(f"UNMASK_DATA holds no {name}")
        return path

    return real
