"""The same text, tokenizer and settings give the same corpus, whoever prepares it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unmask.data.units import _UNIT_CHARACTERS

NOT_COMPARED = {"report.json"}
"""It holds the seconds that preparation took."""


UNITS = 5
"""Stretches of text that are encoded at once, so that workers have something to do together."""


@pytest.fixture
def texts(material: Any, tmp_path: Path) -> Path:
    """Enough text for all workers."""
    folder = tmp_path / "texts"
    folder.mkdir()
    text = "\n\n".join(path.read_text() for path in sorted(material.texts.iterdir()))
    times = 1 + _UNIT_CHARACTERS // len(text)
    for number in range(UNITS):
        (folder / f"{number}.txt").write_text("\n\n".join([text] * times))
    return folder


@pytest.mark.parametrize("shard_tokens", [10**8, 200_000], ids=["one shard", "many shards"])
def test_any_number_of_workers_gives_the_same_hashes(
    shard_tokens: int, command: Any, material: Any, texts: Path, tmp_path: Path
) -> None:
    hashes = []
    for workers in (1, 2, 5):
        output = tmp_path / f"{workers}"
        ended = command(
            *("corpus", texts, "--tokenizer", material.tokenizer, "--output", output),
            *("--workers", workers, "--shard-tokens", shard_tokens),
            *("--reader.documents", "block"),
        )
        assert ended.exit_code == 0, ended.stderr
        files = json.loads((output / "manifest.json").read_text())["files"]
        hashes.append({name: files[name] for name in files.keys() - NOT_COMPARED})

    assert hashes[0] == hashes[1] == hashes[2]
    assert (sum(name.endswith(".tokens") for name in hashes[0]) > 1) is (shard_tokens < 10**6)
