"""How PostgreSQL is reached, and what it says where it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from unmask.errors import MachineError, UsageError
from unmask.search.addresses import read_address
from unmask.search.extras import psycopg

_EXPECTED = "postgresql://USER@HOST/DATABASE#NAME, with the password in PGPASSWORD or ~/.pgpass"
_MOST_NAME = 40
"""Characters of NAME: PostgreSQL cuts what is longer than 63 with what we put behind it."""
_CONNECT_SECONDS = 10
"""Within which a server that is there has answered, over any network."""


def named(place: str) -> tuple[str, str, str]:
    """The connection's words, how the tables' names begin, and the place without its password.

    Raises:
        UsageError: No address, or the name behind # is none.
    """
    address = read_address(place, _EXPECTED)
    prefix = address.fragment or "unmask"
    if not prefix.isidentifier() or len(prefix) > _MOST_NAME:
        raise UsageError(
            f"#{prefix:.80}: expected letters, digits and underscores, at most {_MOST_NAME}."
        )
    return address.uri, prefix, f"{address.shown}#{prefix}"


def connect(uri: str, place: str) -> Any:
    """A connection.

    Raises:
        MachineError: The database cannot be reached, or refuses.
    """
    driver = psycopg()
    try:
        return driver.connect(uri, autocommit=True, connect_timeout=_CONNECT_SECONDS)
    except driver.Error as error:
        said = read_address(uri, _EXPECTED).hide(str(error))
        raise _refused(place, said) from None  # whose own text may hold the password


@contextmanager
def told(place: str) -> Iterator[None]:
    """Turns what the driver says into one message.

    Raises:
        MachineError: The database cannot be reached, or refuses.
    """
    driver = psycopg()
    try:
        yield
    except driver.Error as error:
        raise _refused(place, str(error)) from error


def _refused(place: str, said: str) -> MachineError:
    found = said.strip().split("\n")[0][:300]
    return MachineError(
        f"{place}: PostgreSQL cannot be reached, or refuses ({found}). Is it running there, "
        "with the extension pgvector, and may this user make tables?"
    )
