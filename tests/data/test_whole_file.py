"""A file appears whole or not at all."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from unmask.data.whole_file import whole_file, whole_path
from unmask.errors import DataError, MachineError


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_the_same_text_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    path, written = tmp_path / "new folder" / name, []
    for _ in range(2):
        with whole_file(path) as file:
            file.write("é\r\n\n")
        written.append(path.read_bytes())

    assert written[0] == written[1]
    content = gzip.decompress(written[0]) if name.endswith(".gz") else written[0]
    assert content == "é\r\n\n".encode()
    assert [other.name for other in path.parent.iterdir()] == [name]


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (RuntimeError("on the way"), RuntimeError, "on the way"),
        (OSError(28, "No space left on device"), MachineError, "a.txt: the disk is full"),
    ],
)
def test_what_fails_leaves_the_old_file(
    fault: Exception, kind: type[Exception], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_text() -> None:
        with whole_file(path) as file:
            file.write("new")
            raise fault

    def write_bytes() -> None:
        with whole_path(path) as temporary:
            temporary.write_bytes(b"new")
            raise fault

    for write in (write_text, write_bytes):
        with pytest.raises(kind, match=message):
            write()

    assert path.read_text() == "old"
    assert [other.name for other in tmp_path.iterdir()] == ["a.txt"]


def test_half_a_character_is_told_of(tmp_path: Path) -> None:
    def write() -> None:
        with whole_file(tmp_path / "a.txt") as file:
            file.write("\ud800")

    with pytest.raises(DataError, match=r"a.txt: not written, .* holds U\+D800"):
        write()

    assert list(tmp_path.iterdir()) == []
