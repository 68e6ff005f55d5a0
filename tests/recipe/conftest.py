"""Tiny runs of `pretrain` and `finetune`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from unmask.recipe.config import Finetune, Pretrain

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


@pytest.fixture
def make_finetune() -> Callable[..., Finetune]:
    """Eight steps of classification; takes tables or fields of the recipe that differ."""

    def make(train: dict[str, Any] | None = None, **fields: Any) -> Finetune:
        settings = {"steps": 8, "batch_size": 8, "log_every": 1, "evaluate_every": 4}
        return Finetune.model_validate(
            {
                "task": "classification",
                "baselines": False,
                "pictures": False,
                "train": {**settings, **(train or {})},
                "optim": {"learning_rate": 3e-3},
                **fields,
            }
        )

    return make
