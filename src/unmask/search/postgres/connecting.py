"""How PostgreSQL is reached, and what it says where it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urldefrag, urlsplit

from unmask.errors import MachineError, UsageError
from unmask.search.extras import psycopg


def named(place: str) -> tuple[str, str, str]:
    """The connection's words, how the tables' names begin, and the place without its password.

    Raises:
        UsageError: The name behind # is none.
    """
    uri, prefix = urldefrag(place)
    prefix = prefix or "unmask"
    if not prefix.isidentifier() or len(prefix) > 40:
        raise UsageError(f"#{prefix:.80}: expected letters, digits and underscores, at most 40.")
    parts = urlsplit(uri)
    user, at, host = parts.netloc.rpartition("@")
    shown = f"{parts.scheme}://{user.partition(':')[0]}{at}{host}{parts.path}#{prefix}"
    return uri, prefix, shown


def connect(uri: str, place: str) -> Any:
    """A connection.

    Raises:
        MachineError: The database cannot be reached, or refuses.
    """
    driver = psycopg()
    with told(place):
        return driver.connect(uri, autocommit=True, connect_timeout=10)


@contextmanager
def told(place: str) -> Iterator[None]:
    """Turns what the driver says into one message, without the connection's words.

    Raises:
        MachineError: The database cannot be reached, or refuses.
    """
    driver = psycopg()
    try:
        yield
    except driver.Error as error:
        found = str(error).strip().split("\n")[0][:300]
        raise MachineError(
            f"{place}: PostgreSQL cannot be reached, or refuses ({found}). Is it running there, "
            "with the extension pgvector, and may this user make tables?"
        ) from error
