"""Tiny runs of `pretrain`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from unmask.recipe.config import Pretrain

MODEL = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2}


@pytest.fixture
def make_recipe() -> Callable[..., Pretrain]:
    """Eight steps of a tiny model; takes tables or fields of the recipe that differ."""

    def make(train: dict[str, Any] | None = None, **fields: Any) -> Pretrain:
        settings = {
            "steps": 8,
            "batch_size": 8,
            "sequence_length": 32,
            "log_every": 1,
            "evaluate_every": 200,
            "validation_sequences": 8,
            **(train or {}),
        }
        model = {**MODEL, "intermediate_size": 64, "max_position_embeddings": 32}
        return Pretrain.model_validate(
            {"model": model, "validation_rate": 0.1, "train": settings, **fields}
        )

    return make
