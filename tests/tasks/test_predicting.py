"""Examples stream by: few are held, whatever their number and length."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from unmask.data.labelled.examples import TextExample
from unmask.tasks import predicting
from unmask.tasks.predicting import _chunks


def examples(sizes: list[int]) -> Iterator[TextExample]:
    for i, size in enumerate(sizes):
        yield TextExample(str(i), "a" * size, None, None, None, "")


def test_little_is_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicting, "_EXAMPLES_AT_ONCE", 3)
    monkeypatch.setattr(predicting, "_CHARACTERS_AT_ONCE", 50)

    found = [[len(one.text) for one in chunk] for chunk in _chunks(examples([9] * 4 + [60, 1, 1]))]

    assert found == [[9, 9, 9], [9, 60], [1, 1]]
    assert list(_chunks([])) == []
