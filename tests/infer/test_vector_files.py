"""Vectors written as they are made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from unmask.data.labelled.examples import TextExample
from unmask.errors import UsageError
from unmask.infer import vector_files
from unmask.infer.vector_files import write_vectors


def texts(number: int) -> Iterator[TextExample]:
    for i in range(number):
        yield TextExample(f"id {i}", f"text {i}", None, None, None, "")


def encode(some: list[str]) -> np.ndarray:
    return np.array([[len(one), int(one.split()[1])] for one in some], dtype=np.float32)


@pytest.mark.parametrize("number", [0, 1, 7])
@pytest.mark.parametrize("ending", vector_files.ENDINGS)
def test_every_vector_stands_at_its_text(
    number: int, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_files, "_AT_ONCE", 3)
    file = tmp_path / "new" / f"vectors{ending}"

    assert write_vectors(texts(number), encode, 2, file) == number

    if ending == ".npy":
        found = np.load(file)
    else:
        table = pq.read_table(file)
        assert table["id"].to_pylist() == [f"id {i}" for i in range(number)]
        assert table["text"].to_pylist() == [f"text {i}" for i in range(number)]
        found = np.array(table["embedding"].to_pylist(), dtype=np.float32).reshape(-1, 2)
    assert found.shape == (number, 2)
    assert found[:, 1].tolist() == list(range(number))


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def broken(_: list[str]) -> np.ndarray:
        raise UsageError("broken")

    with pytest.raises(UsageError, match="broken"):
        write_vectors(texts(2), broken, 2, tmp_path / "vectors.npy")
    assert list(tmp_path.iterdir()) == []


def test_another_ending_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.npy or \.parquet"):
        write_vectors(texts(2), encode, 2, tmp_path / "vectors.csv")
