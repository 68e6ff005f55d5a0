from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from unmask.checkpoint.durable import MANIFEST, verify, write_folder
from unmask.errors import DataError, MachineError, UsageError


def write_two(folder: Path) -> None:
    (folder / "weights").write_bytes(b"12345")
    (folder / "inner").mkdir()
    (folder / "inner" / "text").write_text("whale")


def test_the_manifest_lists_every_file(tmp_path: Path) -> None:
    write_folder(tmp_path / "a" / "b", write_two)
    files = json.loads((tmp_path / "a" / "b" / MANIFEST).read_text())["files"]
    assert {name: entry["size"] for name, entry in files.items()} == {"weights": 5, "inner/text": 5}
    verify(tmp_path / "a" / "b")


def test_all_is_synced_before_the_name_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = tmp_path / "final"
    synced: list[tuple[str, bool]] = []
    real_fsync = os.fsync

    def watch(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path.name, final.exists()))
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    write_folder(final, write_two)
    before = [name for name, visible in synced if not visible]
    assert {"weights", "text", "inner"} <= set(before)
    assert before.index(MANIFEST) > before.index("weights")
    assert synced[-1] == (tmp_path.name, True)


def test_a_failed_write_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    write_folder(tmp_path / "final", write_two)

    def fail(folder: Path) -> None:
        (folder / "weights").write_bytes(b"half")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_folder(tmp_path / "final", fail)
    verify(tmp_path / "final")
    assert [path.name for path in tmp_path.iterdir()] == ["final"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_names_the_folder_and_the_bytes(tmp_path: Path, number: int) -> None:
    def fill(folder: Path) -> None:
        (folder / "weights").write_bytes(b"12345")
        raise OSError(number, os.strerror(number))

    with pytest.raises(MachineError, match=r"final: no room .* needs 1234 bytes, and \d+ are free"):
        write_folder(tmp_path / "final", fill, expected_bytes=1234)
    assert not list(tmp_path.iterdir())


def test_what_cannot_fit_is_refused_before_writing(tmp_path: Path) -> None:
    def never(folder: Path) -> None:
        raise AssertionError(folder)

    with pytest.raises(MachineError, match=f"needs {1 << 60} bytes"):
        write_folder(tmp_path / "final", never, expected_bytes=1 << 60)


def test_another_write_error_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be written"):
        write_folder(tmp_path / "file" / "final", write_two)


@pytest.mark.parametrize("name", ["notes.txt", "inner/notes.txt"])
def test_a_folder_that_someone_added_to_is_not_replaced(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path / "final", write_two)
    (tmp_path / "final" / name).write_text("mine")
    with pytest.raises(UsageError, match=name):
        write_folder(tmp_path / "final", write_two)
    assert (tmp_path / "final" / name).read_text() == "mine"


def test_a_folder_of_other_origin_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        write_folder(tmp_path / "home", write_two)
    with pytest.raises(UsageError, match="not a folder"):
        write_folder(tmp_path / "home" / "thesis.tex", write_two)


def damage(folder: Path, how: str) -> None:
    file = folder / "weights"
    if how == "missing":
        file.unlink()
    elif how == "truncated":
        file.write_bytes(b"1234")
    elif how == "flipped":
        file.write_bytes(b"12344")
    elif how == "no manifest":
        (folder / MANIFEST).unlink()
    else:
        text = (folder / MANIFEST).read_text()
        (folder / MANIFEST).write_text(text.replace("inner/text", "../../secret"))


@pytest.mark.parametrize("how", ["missing", "truncated", "flipped", "no manifest", "traversal"])
def test_damage_is_found(tmp_path: Path, how: str) -> None:
    write_folder(tmp_path / "final", write_two)
    damage(tmp_path / "final", how)
    with pytest.raises(DataError):
        verify(tmp_path / "final")
