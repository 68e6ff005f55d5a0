from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from unmask.tasks.config import ClassificationConfig


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "multi", "focal_gamma": 2.0},
        {"kind": "multi", "label_smoothing": 0.1},
        {"kind": "regression", "class_weights": "balanced"},
        {"kind": "regression", "label_smoothing": 0.1},
    ],
)
def test_a_setting_without_effect_is_refused(settings: dict[str, Any]) -> None:
    name = [*settings][1]
    with pytest.raises(ValidationError, match=f"{name} has no effect with kind {settings['kind']}"):
        ClassificationConfig(**settings)


def test_defaults_do_for_every_kind() -> None:
    for kind in ("single", "multi", "regression"):
        config = ClassificationConfig(kind=kind)  # type: ignore[arg-type]
        assert ClassificationConfig(**config.model_dump()) == config
