"""Where each id of a large file stood first, in 16 bytes an id."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_RECENT = 2**16
"""Ids in a dictionary, before they go into the arrays: about 10 MB."""


class FirstLines:
    """Remembers ids by 64 bits of a hash, and the lines they stood in.

    Two ids of a million have the same hash with a chance of 3e-8; the second would be rejected.
    """

    def __init__(self) -> None:
        self._recent: dict[int, int] = {}
        self._hashes: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._lines: NDArray[np.int64] = np.empty(0, np.int64)

    def take(self, name: str, line: int) -> int | None:
        """The line where an id stood before; None if it is new, and it is remembered."""
        digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        number = int.from_bytes(digest, "little")
        if number in self._recent:
            return self._recent[number]
        at = int(np.searchsorted(self._hashes, np.uint64(number)))
        if at < len(self._hashes) and int(self._hashes[at]) == number:
            return int(self._lines[at])
        self._recent[number] = line
        if len(self._recent) >= _RECENT:
            self._settle()
        return None

    def _settle(self) -> None:
        hashes = np.concatenate((self._hashes, np.fromiter(self._recent, np.uint64)))
        lines = np.concatenate((self._lines, np.fromiter(self._recent.values(), np.int64)))
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._lines = hashes[order], lines[order]
        self._recent.clear()
