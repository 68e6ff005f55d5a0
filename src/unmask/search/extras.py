"""Packages that only some searches need, each imported when it is first used."""

from __future__ import annotations

import importlib
from typing import Any

from unmask.errors import MachineError


def faiss() -> Any:
    """The package of approximate indexes.

    Raises:
        MachineError: It is not installed.
    """
    return _imported("faiss", "search", "an approximate or quantised index")


def bm25s() -> Any:
    """The package that scores by words.

    Raises:
        MachineError: It is not installed.
    """
    return _imported("bm25s", "search", "search by words")


def qdrant() -> Any:
    """The client of Qdrant.

    Raises:
        MachineError: It is not installed.
    """
    return _imported("qdrant_client", "qdrant", "an index in Qdrant")


def psycopg() -> Any:
    """The driver of PostgreSQL.

    Raises:
        MachineError: It is not installed.
    """
    return _imported("psycopg", "pgvector", "an index in PostgreSQL")


def _imported(module: str, extra: str, what: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MachineError(
            f"{what} needs the package `{module}`, which cannot be imported ({error}). Install it "
            f'by: pip install "unmask[{extra}]"'
        ) from error
