"""Documents that repeat an earlier one; the first is kept."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Literal, Protocol

from unmask.errors import MachineError

_SHINGLE_WORDS = 5
_PERMUTATIONS = 128
_SEED = 42


class Duplicates(Protocol):
    """Remembers the documents shown to it."""

    def seen(self, text: str) -> str | None:
        """A name for why this document is a duplicate; None, and it is remembered, if it is not."""


def build(kind: Literal["keep", "exact", "near"], similarity: float) -> Duplicates:
    """The search for duplicates of a kind; `similarity` is for near ones.

    Raises:
        MachineError: Near duplicates need a package that is not installed.
    """
    if kind == "exact":
        return ExactDuplicates()
    if kind == "near":
        return NearDuplicates(similarity)
    return NoDuplicates()


class NoDuplicates:
    """Lets every document pass."""

    def seen(self, text: str) -> None:
        """None."""


class ExactDuplicates:
    """Equal text, apart from case, spaces and the composition of accents.

    Remembers 128 bits a document (about 100 bytes with Python's set around them).
    """

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def seen(self, text: str) -> str | None:
        """`exact_duplicate`, or None."""
        normal = " ".join(unicodedata.normalize("NFC", text).lower().split())
        digest = hashlib.blake2b(normal.encode(), digest_size=16).digest()
        if digest in self._digests:
            return "exact_duplicate"
        self._digests.add(digest)
        return None


class NearDuplicates:
    """Equal text, or text whose word 5-grams are similar by MinHash (Lee et al. 2022).

    The similarity is estimated from 128 hashes (standard error at most 0.045), and found by
    locality-sensitive hashing, which can miss a pair near the threshold. Remembers those hashes
    and their buckets of every document, beside what `ExactDuplicates` does: the one part of
    preparation, with it, whose memory grows with the corpus.
    """

    def __init__(self, similarity: float) -> None:
        """Takes the least estimated Jaccard similarity of a near duplicate.

        Raises:
            MachineError: `rensa` is not installed.
        """
        try:
            import rensa
        except ImportError as error:
            raise MachineError(
                "near duplicates need the package rensa, which is not installed: "
                "pip install 'unmask[corpus]', or set --duplicates exact."
            ) from error
        self._minhash = rensa.RMinHash
        self._known = rensa.RMinHashDeduplicator(
            threshold=similarity, num_perm=_PERMUTATIONS, use_lsh=True, seed=_SEED
        )
        self._exact = ExactDuplicates()
        self._num_documents = 0

    def seen(self, text: str) -> str | None:
        """`exact_duplicate`, `near_duplicate`, or None."""
        if self._exact.seen(text):
            return "exact_duplicate"
        words = text.lower().split()
        last = max(1, len(words) - _SHINGLE_WORDS + 1)
        shingles = {" ".join(words[i : i + _SHINGLE_WORDS]) for i in range(last)}
        minhash = self._minhash(num_perm=_PERMUTATIONS, seed=_SEED)
        minhash.update(sorted(shingles))
        self._num_documents += 1
        is_new = self._known.add(str(self._num_documents), minhash)
        return None if is_new else "near_duplicate"
