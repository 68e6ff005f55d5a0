"""Settings of the embedding losses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from unmask.tasks.embedding_losses.config import LOSS_CONFIGS, MatryoshkaConfig

each_name = pytest.mark.parametrize("name", LOSS_CONFIGS)


@each_name
def test_settings_come_back_from_json(name: str) -> None:
    config = LOSS_CONFIGS[name](matryoshka=MatryoshkaConfig(dims=(8, 4), weights=(1, 0.5)))
    assert LOSS_CONFIGS[name].model_validate_json(config.model_dump_json()) == config


@each_name
def test_another_name_or_an_unknown_setting_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="Input should be"):
        LOSS_CONFIGS[name](name="other")
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        LOSS_CONFIGS[name](temprature=1.0)


@each_name
def test_every_setting_is_explained(name: str) -> None:
    assert all(field.description for field in LOSS_CONFIGS[name].model_fields.values())


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("softmax", {"features": ()}, "at least 1 item"),
        ("softmax", {"features": ("difference",) * 2}, "names one twice"),
        ("cosine-similarity", {"score_range": (5, 0)}, "score_range is 5, 0: expected the lower"),
        ("cosine-similarity", {"cosine_range": (0, 0)}, "cosine_range is 0, 0: expected"),
        ("cosine-similarity", {"cosine_range": (0, 2)}, "less than or equal to 1"),
        ("contrastive", {"margin": 0}, "greater than 0"),
        ("triplet", {"distance": "dot"}, "Input should be 'cosine', 'euclidean' or 'manhattan'"),
        ("multiple-negatives-ranking", {"scale": 0}, "greater than 0"),
        ("multiple-negatives-ranking", {"scale": float("nan")}, "less than or equal to"),
        ("cosent", {"scale": float("inf")}, "less than or equal to 10000"),
        ("kl-divergence", {"student_temperature": -1}, "greater than 0"),
        ("simcse", {"matryoshka": {"dims": ()}}, "at least 1 item"),
        ("simcse", {"matryoshka": {"dims": (0,)}}, "greater than or equal to 1"),
        ("simcse", {"matryoshka": {"dims": (4, 4)}}, "names a number twice"),
        ("simcse", {"matryoshka": {"dims": (4, 2), "weights": (1,)}}, "1 weights for 2 dims"),
        ("simcse", {"matryoshka": {"dims": (4,), "weights": (0,)}}, "greater than 0"),
    ],
)
def test_settings_that_cannot_mean_anything_are_refused(
    name: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        LOSS_CONFIGS[name](**settings)
