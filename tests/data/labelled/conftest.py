"""Writes small files and reads them as examples."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from unmask.data.labelled.config import LabelledConfig
from unmask.data.rejects import Rejects

Read = Callable[..., tuple[list[Any], Rejects]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes | str], Path]:
    """Writes a file, and gives its path."""

    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def read() -> Read:
    """Reads a file by one of the readers; all examples and the rejects."""

    def read(
        reader: Callable[..., Iterator[Any]], path: Path, **settings: Any
    ) -> tuple[list[Any], Rejects]:
        config = LabelledConfig.model_validate(settings)
        rejects = Rejects(config.max_reject_rate, setting="--data.max-reject-rate")
        return list(reader(path, config, rejects)), rejects

    return read


@pytest.fixture
def real() -> Callable[[str], Path]:
    """A published file's path; skips where the data is not there."""

    def real(name: str) -> Path:
        folder = os.environ.get("UNMASK_DATA")
        if not folder:
            pytest.skip("UNMASK_DATA is not set: no published files to read")
        path = Path(folder, name)
        if not path.exists():
            pytest.skip(f"UNMASK_DATA holds no {name}")
        return path

    return real


@pytest.fixture
def compress() -> Callable[[bytes], bytes]:
    return gzip.compress
