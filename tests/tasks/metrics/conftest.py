"""Given vectors in the shape of a model, for the evaluators of sentence-transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch


class VectorsAsModel:
    """Encodes texts that were given vectors."""

    similarity_fn_name = "cosine"

    def __init__(self, vectors: Mapping[str, np.ndarray]) -> None:
        self._vectors = vectors
        self.model_card_data = SimpleNamespace(set_evaluation_metrics=lambda *_: None)

    def encode(self, texts: Sequence[str], **options: Any) -> Any:
        found = np.stack([self._vectors[text] for text in texts]).astype(np.float32)
        if options.get("convert_to_tensor"):
            return torch.from_numpy(found)
        return list(torch.from_numpy(found)) if options.get("convert_to_numpy") is False else found

    encode_query = encode_document = encode


@pytest.fixture
def as_model() -> Callable[[Mapping[str, np.ndarray]], VectorsAsModel]:
    """A model that gives texts the vectors they stand for."""
    return VectorsAsModel


@pytest.fixture
def evaluators() -> ModuleType:
    """sentence-transformers' evaluators."""
    return pytest.importorskip(
        "sentence_transformers.sentence_transformer.evaluation",
        reason="sentence-transformers is not installed",
    )
