from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from unmask.train.config import OptimConfig, PretrainingConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 5, "minutes": 1.0}, "steps and minutes are both set: expected one budget"),
        ({"initial_sequence_length": 64}, "initial_sequence_length and sequence_warmup_rate go"),
        ({"sequence_warmup_rate": 0.5}, "initial_sequence_length and sequence_warmup_rate go"),
        ({"initial_batch_size": 4}, "initial_batch_size and batch_warmup_rate go together"),
        ({"batch_warmup_rate": 0.5}, "initial_batch_size and batch_warmup_rate go together"),
        ({"steps": 0}, "greater than or equal to 1"),
        ({"minutes": 0.0}, "greater than 0"),
        ({"batch_size": 0}, "greater than or equal to 1"),
        ({"precision": "fp8"}, "'fp32', 'bf16' or 'auto'"),
        ({"stepz": 3}, "Extra inputs are not permitted"),
    ],
)
def test_impossible_training_settings_are_explained(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PretrainingConfig.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "sgd"}, "'adamw' or 'muon'"),
        ({"schedule": "step"}, "'linear', 'cosine' or 'wsd'"),
        ({"warmup_rate": 1.0}, "less than 1"),
        ({"learning_rate": 0.0}, "greater than 0"),
        ({"muon_iterations": 0}, "greater than or equal to 1"),
    ],
)
def test_impossible_optimizer_settings_are_explained(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        OptimConfig.model_validate(settings)


def test_settings_that_go_together_are_accepted_and_stay() -> None:
    config = PretrainingConfig(initial_sequence_length=64, sequence_warmup_rate=0.9, minutes=2.0)

    with pytest.raises(ValidationError, match="frozen"):
        config.steps = 3  # type: ignore[misc]


@pytest.mark.parametrize("settings", [PretrainingConfig, OptimConfig])
def test_every_setting_says_what_it_means(settings: type[PretrainingConfig | OptimConfig]) -> None:
    assert [name for name, f in settings.model_fields.items() if not f.description] == []
