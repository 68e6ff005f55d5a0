"""Documents by their ids, in 16 bytes each, by hashes of the ids."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

FILE = "names.npy"


def hashes_of(ids: Iterable[str]) -> NDArray[np.uint64]:
    """(N,) of each id, the same on every machine."""
    return np.fromiter(map(hash_of, ids), dtype=np.uint64)


def hash_of(name: str) -> int:
    """64 bits of the BLAKE2b hash of an id."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


class Names:
    """Rows by id; the ids themselves are read only where their hashes are equal."""

    def __init__(self, hashes: NDArray[np.uint64], name_of: Callable[[int], str]) -> None:
        """`hashes` are (documents,) in the order of rows."""
        self._order = np.argsort(hashes, kind="stable")
        self._sorted = hashes[self._order]
        self._name_of = name_of

    def rows(self, name: str) -> Iterator[int]:
        """The rows of that id."""
        wanted = np.uint64(hash_of(name))
        start, end = (
            int(np.searchsorted(self._sorted, wanted, side)) for side in ("left", "right")
        )
        for row in self._order[start:end].tolist():
            if self._name_of(row) == name:
                yield row
