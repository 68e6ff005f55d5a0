"""Places of databases: what cannot be is one message, and no message shows a password."""

from __future__ import annotations

import contextlib
import os
import pickle
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.search.conftest import Clients
from tests.search.embedders import Bag

from unmask.errors import MachineError, UnmaskError, UsageError
from unmask.search.addresses import read_address
from unmask.search.homes import is_there
from unmask.search.index import Index


@pytest.mark.parametrize(
    "place",
    [
        "qdrant://host:6333",
        "qdrant://host:x/y",
        "qdrant://host:99999/y",
        "qdrant://[x/y",
        "qdrant://host/folder/y",
        "postgresql:///x#a-b",
        "postgresql:///x#1",
        "postgresql://[x/db",
        "postgresql://host:70000/db",
    ],
)
def test_a_place_that_cannot_be_is_refused(place: str, bag: Bag) -> None:
    pytest.importorskip("qdrant_client")

    for act in (lambda: Index.open(place, bag), lambda: is_there(place)):
        with pytest.raises(UsageError, match="expected"):
            act()


@pytest.mark.parametrize(
    "place",
    [
        "postgresql://me:se#cret@127.0.0.1:1/db",
        "postgresql://me:se/cret@127.0.0.1:1/db",
        "postgresql://me:se@cret@127.0.0.1:1/db",
        "postgresql://me:cret%zz@127.0.0.1:1/db",
        "postgresql://me:secret%20@127.0.0.1:1/db?password=other%zzcret",
        "postgresql://me:cret",
        "postgresql://127.0.0.1:1/db?password=cret&nonsense=1",
        "postgresql://127.0.0.1:1/db?nonsense&password=cret",
        "postgresql://me:cret@[127.0.0.1/db",
        "postgresql://me:cret@127.0.0.1:port/db",
        "postgresql://me:cret@127.0.0.1:1/db#a-b",
        "qdrant://me:cret@host:6333",
        "qdrant://me:cret@host:6333/x",
        "qdrant://me:cret@host:99999/x",
        "qdrant://me:c#cret@host:6333/x",
        "qdrant://me:cret@/x",
    ],
)
def test_no_message_shows_a_password(place: str, bag: Bag) -> None:
    pytest.importorskip("qdrant_client")
    pytest.importorskip("psycopg")

    with pytest.raises(UnmaskError) as told:
        Index.open(place, bag)

    shown: BaseException | None = told.value
    while shown is not None:
        assert "cret" not in str(shown)
        shown = None if shown.__suppress_context__ else shown.__context__


def test_what_a_driver_says_of_a_broken_address_is_told_without_the_password(bag: Bag) -> None:
    pytest.importorskip("psycopg")

    with pytest.raises(MachineError, match=r"\(.*\*\*\*.*\)"):
        Index.open("postgresql://127.0.0.1:1/db?password=cr%zzet", bag)


def test_an_address_is_taken_apart() -> None:
    found = read_address("postgresql://me:a%23b@one:1,[::1]:2/db?sslmode=require#name", "")

    assert (found.scheme, found.user, found.host) == ("postgresql", "me", "one:1,[::1]:2")
    assert (found.path, found.fragment) == ("/db", "name")
    assert found.uri == "postgresql://me:a%23b@one:1,[::1]:2/db?sslmode=require"
    assert found.shown == "postgresql://me@one:1,[::1]:2/db"
    assert found.hide("with a#b or a%23b") == "with *** or ***"


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


def test_no_folder_of_qdrant_is_opened_by_its_name(
    tmp_path: Path, bag: Bag, new_place: Callable[[str], str], client_of: Clients
) -> None:
    client_library = pytest.importorskip("qdrant_client")
    place, mark = new_place("qdrant"), tmp_path / "ran"
    Index.create(place, bag, client=client_of(place)).close()
    (stored,) = tmp_path.rglob("storage.sqlite")
    with sqlite3.connect(stored) as database:
        bomb = pickle.dumps(Bomb(mark))
        database.execute("INSERT INTO points VALUES ('x', ?)", [bomb])
    folder = stored.parents[2]
    with contextlib.suppress(Exception):  # whatever becomes of an exit code as a point
        client_library.QdrantClient(path=str(folder))
    assert mark.exists(), "the bomb is a dud"
    mark.unlink()

    named = f"qdrant://{folder}/{place.rpartition('/')[2]}"
    for act in (
        lambda: Index.open(named, bag),
        lambda: Index.create(named, bag),
        lambda: is_there(named),
    ):
        with pytest.raises(UsageError, match="keeps pickles in its folder"):
            act()
    with pytest.raises(UsageError, match="keeps pickles"):
        is_there(f"qdrant://{tmp_path}/typo/x")

    assert not mark.exists()
    assert not (tmp_path / "typo").exists()
