"""Of documents that say the same, the first stays."""

from __future__ import annotations

import random
import sys

import pytest

from unmask.data import duplicates
from unmask.errors import MachineError

TEXT = " ".join(random.Random(7).choices([f"word{i}" for i in range(500)], k=300))


def changed(text: str, every: int) -> str:
    words = text.split()
    return " ".join("other" if i % every == 0 else word for i, word in enumerate(words, 1))


def test_duplicates_are_kept_unless_asked() -> None:
    found = duplicates.build("keep", 0.8)
    assert [found.seen(TEXT) for _ in range(2)] == [None, None]


def test_equal_text_is_found_whatever_its_case_spaces_and_composition() -> None:
    found = duplicates.build("exact", 0.8)
    assert found.seen("Café one\ntwo") is None
    assert found.seen(" CAFÉ  one two ") == "exact_duplicate"
    assert found.seen("cafe\u0301 one two") == "exact_duplicate"
    assert found.seen("cafe one two") is None
    assert found.seen("Caféone two") is None


def test_near_duplicates_are_found_and_others_kept() -> None:
    found = duplicates.build("near", 0.7)
    assert found.seen(TEXT) is None
    assert found.seen(TEXT.upper()) == "exact_duplicate"
    assert found.seen(changed(TEXT, 100)) == "near_duplicate"
    assert found.seen(changed(TEXT, 4)) is None
    assert found.seen(" ".join(reversed(TEXT.split()))) is None


def test_short_texts_are_near_duplicates_only_if_equal() -> None:
    found = duplicates.build("near", 0.7)
    assert [found.seen(text) for text in ("", "one", "two", "one two")] == [None] * 4
    assert found.seen("One") == "exact_duplicate"


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rensa", None)
    with pytest.raises(MachineError, match=r"pip install 'unmask\[corpus\]'"):
        duplicates.build("near", 0.8)
