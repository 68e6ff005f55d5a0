"""How Qdrant is reached, and what it says where it cannot be."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from unmask.errors import MachineError, UsageError
from unmask.search.extras import qdrant


def connected(place: str) -> tuple[Any, str, str]:
    """A client, the collection's name, and the place as messages call it.

    `qdrant://HOST:PORT/COLLECTION` is a server (`qdrants://` by TLS; its key comes from
    QDRANT_API_KEY), `qdrant:///FOLDER/COLLECTION` is embedded, with its files in that folder.

    Raises:
        UsageError: No such place can be.
        MachineError: The package is missing, or another process has the folder.
    """
    parts = urlsplit(place)
    folder, _, collection = parts.path.rpartition("/")
    _, _, port = parts.netloc.rpartition("@")[2].partition(":")
    if not collection or (parts.netloc and folder) or not (port.isdecimal() or not port):
        raise UsageError(
            f"{place}: names no collection; expected qdrant://HOST:PORT/COLLECTION, or "
            "qdrant:///FOLDER/COLLECTION without a server."
        )
    library = qdrant()
    if not parts.netloc:
        try:
            return library.QdrantClient(path=folder), collection, place
        except RuntimeError as error:
            raise MachineError(f"{place}: cannot be opened ({error}).") from error
    scheme = "https" if parts.scheme == "qdrants" else "http"
    host = f"{parts.hostname}:{parts.port or 6333}"
    url = f"{scheme}://{host}"
    key = os.environ.get("QDRANT_API_KEY")
    client = library.QdrantClient(url=url, api_key=key, check_compatibility=False, timeout=60)
    return client, collection, f"{parts.scheme}://{host}/{collection}"


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
