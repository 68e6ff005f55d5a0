"""The keeper under the real loop; `faults` kills it, damages its files and changes its settings."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from unmask.batch import Batch
from unmask.checkpoint.runs import checkpoints
from unmask.errors import DataError
from unmask.recipe.config import Pretrain
from unmask.recipe.pretrain import pretrain
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.task import Term
from unmask.train.log import METRICS_FILE, read_metrics


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[int]], None]:
    """Makes the loss of the given training steps, counted from 1 with repeated ones, no number."""

    def make(steps: set[int]) -> None:
        class Spoilt(MaskedLM):
            num_calls = 0

            def loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> list[Term]:
                terms = super().loss(outputs, batch)
                if torch.is_inference_mode_enabled():
                    return terms
                self.num_calls += 1
                factor = math.nan if self.num_calls in steps else 1.0
                return [term._replace(total=term.total * factor) for term in terms]

        monkeypatch.setattr("unmask.recipe.objectives.MaskedLM", Spoilt)

    return make


def state_of(checkpoint: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((checkpoint / "trainer_state.json").read_text())
    return found


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_run_goes_back_to_its_checkpoint_on_disk_and_ends_well(
    name: str,
    spoil: Callable[[set[int]], None],
    tiny_corpus: Path,
    tmp_path: Path,
    make_recipe: Callable[..., Pretrain],
) -> None:
    spoil(set(range(6, 16)))
    recipe = make_recipe({"save_every": 4, "batch_size": 4, "steps": 18}, optim={"name": name})

    result = pretrain(tiny_corpus, tmp_path, recipe, say=lambda _: None)

    last = state_of(checkpoints(tmp_path)[-1])
    assert (last["global_step"], last["skipped_steps"], last["rollbacks"]) == (18, 10, 1)
    # Fifteen steps, then back to step 4 and fourteen more on data of their own: told once.
    trained = result.folder.parent / METRICS_FILE
    steps = [line["step"] for line in read_metrics(trained) if "tokens_per_second" in line]
    assert steps == [*range(1, 19)]
    assert all(line["tokens_per_second"] > 0 for line in read_metrics(trained)[:-1])
    assert math.isfinite(result.scores["mlm_loss"])


def test_a_run_that_stays_broken_ends_with_exit_code_3_and_a_sound_checkpoint(
    spoil: Callable[[set[int]], None],
    tiny_corpus: Path,
    tmp_path: Path,
    make_recipe: Callable[..., Pretrain],
) -> None:
    spoil(set(range(3, 100)))

    with pytest.raises(DataError, match="10 steps in a row") as caught:
        pretrain(tiny_corpus, tmp_path, make_recipe({"save_every": 1, "steps": 50}), say=print)

    assert caught.value.exit_code == 3
    assert state_of(checkpoints(tmp_path)[-1])["global_step"] == 2


def test_only_the_newest_checkpoints_are_kept(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    recipe = make_recipe({"save_every": 2, "keep_checkpoints": 3})

    pretrain(tiny_corpus, tmp_path, recipe, say=lambda _: None)

    names = [path.name for path in checkpoints(tmp_path)]
    assert names == ["checkpoint-4", "checkpoint-6", "checkpoint-8"]
