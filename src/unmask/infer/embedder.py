"""A sentence encoder as search asks it: queries and documents, each with the model's prompt."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.infer.encode import Encoder, Told
from unmask.tasks.sentence import HEAD
from unmask.tasks.sentence_config import DOCUMENT_PROMPTS, QUERY_PROMPTS


@dataclass(frozen=True)
class Embedder:
    """A sentence encoder as search asks it: queries and documents, each with its prompt."""

    encoder: Encoder
    told: Told | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.encoder.bundle.name

    @cached_property
    def sha256(self) -> str:
        """Of weights, pooling and prompts: vectors of another hash do not compare."""
        digest = hashlib.sha256(self.encoder.config.model_dump_json().encode())
        digest.update(self.encoder.bundle.require_tokenizer().sha256.encode())
        digest.update(str(self.encoder.bundle.max_length).encode())
        for name, tensor in sorted(self.encoder.bundle.model.state_dict().items()):
            if name.startswith(("encoder.", f"heads.{HEAD}.")):
                digest.update(name.encode())
                digest.update(tensor.contiguous().cpu().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    @property
    def dimension(self) -> int:
        """Values of a vector."""
        return self.encoder.dimension

    @property
    def max_length(self) -> int:
        """Tokens of a document's text that fit, special ones and the prompt not counted."""
        return self._left_by(DOCUMENT_PROMPTS)

    @property
    def max_query_length(self) -> int:
        """The same of a query, by its own prompt."""
        return self._left_by(QUERY_PROMPTS)

    def encode_query(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, D), with the prompt of queries where the model has one."""
        return self._encoded(texts, QUERY_PROMPTS)

    def encode_document(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, D), with the prompt of documents where the model has one."""
        return self._encoded(texts, DOCUMENT_PROMPTS)

    def spans(self, text: str) -> NDArray[np.int64]:
        """(T, 2) where each token stands in the text, in code points."""
        offsets = self.encoder.bundle.require_tokenizer().encode_with_offsets(text).offsets
        return np.asarray(offsets, dtype=np.int64).reshape(-1, 2)

    def _left_by(self, prompts: tuple[str, ...]) -> int:
        bundle = self.encoder.bundle
        tokenizer = bundle.require_tokenizer()
        before = len(tokenizer.encode(self.encoder.config.prompt_for(prompts)))
        return bundle.max_length - tokenizer.layout.single_cost - before

    def _encoded(self, texts: Sequence[str], names: tuple[str, ...]) -> NDArray[np.float32]:
        return self.encoder.vectors(texts, self.encoder.config.prompt_for(names), told=self.told)
