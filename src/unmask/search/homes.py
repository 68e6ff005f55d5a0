"""Where an index lives: a folder, Qdrant, or a PostgreSQL database with pgvector.

A place is a folder's path; `qdrant://HOST:PORT/COLLECTION`, or `qdrant:///COLLECTION` together with
a client that is handed in; or `postgresql://USER@HOST/DATABASE`, with `#NAME` behind it where the
names of its tables are not to begin with `unmask`. Passwords come from where these programs look
themselves: PGPASSWORD or ~/.pgpass, and QDRANT_API_KEY.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unmask.errors import UsageError
from unmask.search.store import About, VectorStore

_QDRANT = ("qdrant://", "qdrants://")
_POSTGRES = ("postgresql://", "postgres://")
_FOLDERS_ALONE = ("bm25", "recall")
"""Settings that a database has no use for: it finds by vectors, by an index of its own."""


def create_store(place: Path | str, about: About, client: Any = None) -> VectorStore:
    """Makes an empty home for an index; `client` is one of Qdrant, which the store closes.

    Raises:
        UsageError: Something is there already, no such place can be, or a setting has no effect
            there.
        MachineError: It cannot be reached or made, or a package is missing.
    """
    _refuse_client(place, client)
    if _is_database(place) and (idle := about.config.model_fields_set & {*_FOLDERS_ALONE}):
        raise UsageError(
            f"--{', --'.join(sorted(idle))}: without effect in a database, which finds by vectors, "
            "by an index of its own. Leave it out, or choose a folder."
        )
    if str(place).startswith(_QDRANT):
        from unmask.search.qdrant.connecting import connected
        from unmask.search.qdrant.store import QdrantStore

        return QdrantStore.create(*connected(str(place), client), about)
    if str(place).startswith(_POSTGRES):
        from unmask.search.postgres.connecting import named
        from unmask.search.postgres.store import PostgresStore

        return PostgresStore.create(*named(str(place)), about)
    from unmask.search.folder.store import FolderStore

    return FolderStore.create(Path(place), about)


def open_store(place: Path | str, *, verify: bool = True, client: Any = None) -> VectorStore:
    """Opens a home that is there; `client` is one of Qdrant, which the store closes.

    Raises:
        DataError: No index there, or a damaged one.
        UsageError: No such place can be, or `verify` is off where nothing is verified.
        MachineError: It cannot be reached, or a package is missing.
    """
    _refuse_client(place, client)
    if not verify and _is_database(place):
        raise UsageError(
            "--no-verify: without effect in a database, which has no manifest to compare with. "
            "Leave it out."
        )
    if str(place).startswith(_QDRANT):
        from unmask.search.qdrant.connecting import connected
        from unmask.search.qdrant.store import QdrantStore

        return QdrantStore.open(*connected(str(place), client))
    if str(place).startswith(_POSTGRES):
        from unmask.search.postgres.connecting import named
        from unmask.search.postgres.store import PostgresStore

        return PostgresStore.open(*named(str(place)))
    from unmask.search.folder.store import FolderStore

    return FolderStore(Path(place), whole=verify)


def is_there(place: Path | str) -> bool:
    """Whether a place holds an index, even a damaged one.

    Raises:
        MachineError: It cannot be reached, or a package is missing.
    """
    if str(place).startswith(_QDRANT):
        from unmask.search.qdrant.connecting import is_there as in_qdrant

        return in_qdrant(str(place))
    if str(place).startswith(_POSTGRES):
        from unmask.search.postgres.connecting import named
        from unmask.search.postgres.store import PostgresStore

        return PostgresStore.is_there(*named(str(place)))
    from unmask.search.folder.manifest import is_index

    return is_index(Path(place))


def _is_database(place: Path | str) -> bool:
    return str(place).startswith((*_QDRANT, *_POSTGRES))


def _refuse_client(place: Path | str, client: Any) -> None:
    if client is not None and not str(place).startswith(_QDRANT):
        raise UsageError(
            "client: is for an index in Qdrant; expected qdrant:///COLLECTION as its place."
        )
