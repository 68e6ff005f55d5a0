from __future__ import annotations

import logging
from pathlib import Path

import pytest

from unmask.checkpoint.durable import write_folder
from unmask.checkpoint.runs import checkpoints, newest, prune


def write(run: Path, *steps: int) -> None:
    for step in steps:
        write_folder(
            run / f"checkpoint-{step}", lambda folder: (folder / "w").write_bytes(b"x") and None
        )


def test_the_newest_is_the_one_of_the_highest_step(tmp_path: Path) -> None:
    assert newest(tmp_path / "nothing") is None
    assert newest(tmp_path) is None
    write(tmp_path, 100, 9, 20)
    assert newest(tmp_path) == tmp_path / "checkpoint-100"


def test_damaged_checkpoints_are_named_and_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, 1, 2, 3)
    (tmp_path / "checkpoint-3" / "w").write_bytes(b"y")
    (tmp_path / "checkpoint-2" / "MANIFEST.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert newest(tmp_path) == tmp_path / "checkpoint-1"
    assert "checkpoint-3/w: altered" in caplog.text
    assert "checkpoint-2/MANIFEST.json: broken JSON" in caplog.text


def test_other_names_are_no_checkpoints(tmp_path: Path) -> None:
    write(tmp_path, 5)
    for name in ("checkpoint-7.tmp-12-ab", "checkpoint-", "checkpoint-x", "checkpoint-9-old"):
        (tmp_path / name).mkdir()
    (tmp_path / "checkpoint-8").write_text("a file")
    assert checkpoints(tmp_path) == [tmp_path / "checkpoint-5"]


def test_pruning_keeps_the_latest_and_clears_what_kills_left(tmp_path: Path) -> None:
    write(tmp_path, 9, 10, 100)
    (tmp_path / "checkpoint-110.tmp-12-ab").mkdir()
    (tmp_path / "metrics.jsonl").write_text("")
    prune(tmp_path, keep=2)
    assert {path.name for path in tmp_path.iterdir()} == {
        "checkpoint-10",
        "checkpoint-100",
        "metrics.jsonl",
    }
