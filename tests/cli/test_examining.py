"""What `unmask doctor` says of files that it cannot look at by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("name", ["x.conll", "x.data", "x"])
def test_any_file_is_hinted_at_its_task(name: str, tmp_path: Path, run: Callable[..., Any]) -> None:
    file = tmp_path / name
    file.write_text("the O\n", encoding="utf-8")

    said = run("doctor", file)

    assert said.code == 2
    assert f"{file}: is a file; doctor takes a corpus" in said.err
    assert "with --task NAME a file of labelled examples" in said.err
