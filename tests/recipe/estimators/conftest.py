"""Twelve kinds of little sentences that can be learned."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

KIND, UNKIND = ("good", "fine", "nice"), ("bad", "poor", "awful")


@pytest.fixture(scope="module", autouse=True)
def no_syncing() -> Iterator[None]:
    """A disk that is slow to sync would make most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """72 of them."""
    return [
        f"the {what} was {one} {other}"
        for what in ("cat", "dog", "film", "the film")
        for words in (KIND, UNKIND)
        for one in words
        for other in words
    ]


@pytest.fixture(scope="module")
def labels(texts: list[str]) -> list[str]:
    """Whether they are kind."""
    return ["yes" if any(word in text for word in KIND) else "no" for text in texts]
