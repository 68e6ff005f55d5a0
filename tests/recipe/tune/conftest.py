"""A few labelled sentences, and searches over them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from unmask.recipe.tune.config import Tune

pytest.importorskip("optuna", reason="the extra `tune` is not installed")


@pytest.fixture(scope="module", autouse=True)
def no_syncing() -> Iterator[None]:
    """A disk that is slow to sync would make most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def train_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """54 sentences that can be learned."""
    file = tmp_path_factory.mktemp("sentences") / "train.jsonl"
    kinds = {"yes": ("good", "fine", "nice"), "no": ("bad", "poor", "awful")}
    rows = [
        {"text": f"the {what} was {one} {other}", "label": label}
        for what in ("cat", "dog", "film")
        for label, words in kinds.items()
        for one in words
        for other in words
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture
def make_recipe() -> Callable[..., Tune]:
    """A search over little; takes tables or fields of the recipe that differ."""

    def make(**fields: Any) -> Tune:
        space = {"learning_rate": (1e-3, 2e-2), "batch_size": (8, 16), "epochs": (1, 3)}
        return Tune.model_validate(
            {"task": "classification", "space": space, "trials": 3, **fields}
        )

    return make
