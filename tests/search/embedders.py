"""A model for tests, without weights: vectors of hashed words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass
class Bag:
    """Texts with the same words get the same vector, of length 1."""

    name: str = "bag"
    dimension: int = 32
    max_length: int = 24
    seed: int = 0
    encoded: int = 0
    """Texts that it was asked for."""

    @property
    def max_query_length(self) -> int:
        return self.max_length

    @property
    def sha256(self) -> str:
        return hashlib.sha256(f"bag {self.seed}".encode()).hexdigest()

    def encode_query(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.encode_document(texts)

    def encode_document(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.encoded += len(texts)
        return np.stack([self._vector(text) for text in texts]).astype(np.float32)

    def spans(self, text: str) -> NDArray[np.int64]:
        found = [match.span() for match in _TOKEN.finditer(text)]
        return np.asarray(found, dtype=np.int64).reshape(-1, 2)

    def _vector(self, text: str) -> NDArray[np.float64]:
        total = np.full(self.dimension, 1e-3)
        for word in _TOKEN.findall(text.lower())[: self.max_length]:
            seed = int.from_bytes(hashlib.md5(f"{self.seed} {word}".encode()).digest()[:8], "big")
            total += np.random.default_rng(seed).standard_normal(self.dimension)
        return total / np.linalg.norm(total)
