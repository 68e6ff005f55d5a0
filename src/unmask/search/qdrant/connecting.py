"""How Qdrant is reached, and what it says where it cannot be."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from unmask.errors import MachineError, UsageError
from unmask.search.addresses import read_address
from unmask.search.extras import qdrant

_EXPECTED = "qdrant://HOST:PORT/COLLECTION"
_PORT = 6333
"""Where Qdrant listens by itself."""
_ANSWER_SECONDS = 60
"""Within which a batch of points is written; the client's own 5 are too few for a busy server."""


def connected(place: str, client: Any = None) -> tuple[Any, str, str]:
    """A client, the collection's name, and the place as messages call it.

    `qdrant://HOST:PORT/COLLECTION` is a server (`qdrants://` by TLS; its key comes from
    QDRANT_API_KEY). `qdrant:///COLLECTION` is a collection of the `client` that is handed in.

    Raises:
        UsageError: No such place can be, or it names a folder: what Qdrant keeps in one are
            pickles, which run what they like when they are opened.
        MachineError: The package is missing.
    """
    address = read_address(place, _EXPECTED)
    collection = address.path.removeprefix("/")
    if not address.host and client is None:
        raise UsageError(
            f"{address.shown}: Qdrant without a server keeps pickles in its folder, and a pickle "
            "from somebody else runs any code when it is opened, so no folder is opened by its "
            "name. Start a server, take a folder of `unmask index`, or hand a client of your own "
            "to Index.create(..., client=) in Python."
        )
    if address.host and client is not None:
        raise UsageError(
            f"{address.shown}: names a server, and a client is handed in; expected "
            "qdrant:///COLLECTION with it."
        )
    if not collection or "/" in collection:
        raise UsageError(f"{address.shown}: names no collection; expected {_EXPECTED}.")
    if address.user:
        raise UsageError(
            f"{address.scheme}://{address.host}/{collection}: Qdrant knows no users; its key comes "
            "from QDRANT_API_KEY. Leave out what stands before the @."
        )
    if client is not None:
        return client, collection, address.shown
    scheme = "https" if address.scheme == "qdrants" else "http"
    host = address.host if re.search(r":\d+$", address.host) else f"{address.host}:{_PORT}"
    made = qdrant().QdrantClient(
        url=f"{scheme}://{host}",
        api_key=os.environ.get("QDRANT_API_KEY"),
        check_compatibility=False,
        timeout=_ANSWER_SECONDS,
    )
    return made, collection, f"{address.scheme}://{host}/{collection}"


def is_there(place: str) -> bool:
    """Whether there is a collection of that name.

    Raises:
        MachineError: Qdrant cannot be reached, or refuses.
    """
    client, collection, shown = connected(place)
    try:
        with told(shown):
            return bool(client.collection_exists(collection))
    finally:
        client.close()


@contextmanager
def quiet() -> Iterator[None]:
    """Leaves out that Qdrant, embedded, always looks at everything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@contextmanager
def told(place: str) -> Iterator[None]:
    """Turns what the client says into one message.

    Raises:
        MachineError: Qdrant cannot be reached, or refuses.
    """
    from qdrant_client.http.exceptions import ApiException

    try:
        yield
    except ApiException as error:
        found = str(error).strip().replace("\n", " ")[:300]
        raise MachineError(
            f"{place}: Qdrant cannot be reached, or refuses ({found}). Is it running there?"
        ) from error
