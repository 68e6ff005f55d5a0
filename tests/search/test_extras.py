"""What is said where a package of an extra is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.search.embedders import Bag

from unmask.errors import MachineError
from unmask.search.config import SearchConfig
from unmask.search.documents import Document
from unmask.search.index import Index

Make = Callable[..., Any]


def test_vectors_are_searched_without_any_extra(
    make_index: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("faiss", "bm25s", "qdrant_client", "psycopg", "pgvector"):
        monkeypatch.setitem(sys.modules, module, None)
    index = make_index([Document("a", "Bark.")])

    assert index.search("bark")[0].document == "a"
    with pytest.raises(MachineError, match=r"search by words needs .*pip install \"unmask\[search"):
        index.search("bark", SearchConfig(by="words"))


def test_an_approximate_index_needs_faiss_and_loses_nothing_without(
    make_index: Make, make_documents: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    index = make_index([], kind="hnsw")

    with pytest.raises(MachineError, match=r"pip install \"unmask\[search\]\""):
        index.add(make_documents(1100, longest=2))

    assert index.count().documents == 1100
    assert len(index.search("bark")) == 10


@pytest.mark.parametrize(
    ("module", "place", "extra"),
    [
        ("qdrant_client", "qdrant://localhost:6333/x", "qdrant"),
        ("psycopg", "postgresql:///x", "pgvector"),
    ],
)
def test_larger_homes_need_their_clients(
    module: str, place: str, extra: str, bag: Bag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MachineError, match=rf"pip install \"unmask\[{extra}\]\""):
        Index.open(place, bag)
