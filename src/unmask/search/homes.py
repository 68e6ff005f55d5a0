"""Where an index lives: a folder, Qdrant, or a PostgreSQL database with pgvector.

A place is a folder's path; `qdrant://HOST:PORT/COLLECTION`, or `qdrant:///FOLDER/COLLECTION`
without a server; or `postgresql://USER@HOST/DATABASE`, with `#NAME` behind it where the names of
its tables are not to begin with `unmask`. Passwords come from where these programs look themselves:
PGPASSWORD or ~/.pgpass, and QDRANT_API_KEY.
"""

from __future__ import annotations

from pathlib import Path

from unmask.search.store import About, VectorStore

_QDRANT = ("qdrant://", "qdrants://")
_POSTGRES = ("postgresql://", "postgres://")


def create_store(place: Path | str, about: About) -> VectorStore:
    """Makes an empty home for an index.

    Raises:
        UsageError: Something is there already, or no such place can be.
        MachineError: It cannot be reached or made, or a package is missing.
    """
    if str(place).startswith(_QDRANT):
        from unmask.search.qdrant.connecting import connected
        from unmask.search.qdrant.store import QdrantStore

        return QdrantStore.create(*connected(str(place)), about)
    if str(place).startswith(_POSTGRES):
        from unmask.search.postgres.connecting import named
        from unmask.search.postgres.store import PostgresStore

        return PostgresStore.create(*named(str(place)), about)
    from unmask.search.folder.store import FolderStore

    return FolderStore.create(Path(place), about)


def open_store(place: Path | str, *, verify: bool = True) -> VectorStore:
    """Opens a home that is there.

    Raises:
        DataError: No index there, or a damaged one.
        MachineError: It cannot be reached, or a package is missing.
    """
    if str(place).startswith(_QDRANT):
        from unmask.search.qdrant.connecting import connected
        from unmask.search.qdrant.store import QdrantStore

        return QdrantStore.open(*connected(str(place)))
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
