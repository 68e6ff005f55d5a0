"""Pretraining and fine-tuning in two processes that torchrun started."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from unmask.checkpoint.runs import checkpoints
from unmask.recipe.config import Finetune, Pretrain
from unmask.recipe.finetune import finetune
from unmask.recipe.pretrain import pretrain
from unmask.train.log import METRICS_FILE, read_metrics

WEIGHTS = "model.safetensors"


@pytest.fixture
def runs(launch: Any) -> Path:
    """A folder with the runs that two processes made."""
    assert launch.num_passed("recipe") == [7, 7]
    folder: Path = launch.folder
    return folder


def losses(run: Path, name: str = "mlm_loss") -> list[float]:
    return [line[name] for line in read_metrics(run / METRICS_FILE) if name in line]


def test_two_processes_write_each_checkpoint_and_line_once(runs: Path) -> None:
    run = runs / "undisturbed-0.0"

    assert [folder.name for folder in checkpoints(run)] == ["checkpoint-0", "checkpoint-8"]
    steps = [line["step"] for line in read_metrics(run / METRICS_FILE)]
    assert steps == [1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert (run / "model" / "model.safetensors").exists()


def test_two_processes_follow_the_curve_of_one(
    runs: Path, tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    pretrain(tiny_corpus, tmp_path / "one", make_recipe(dropout=0.0), say=lambda _: None)

    # Eight steps of AdamW enlarge the gradients' differences of 1e-5 by far less than tenfold.
    assert losses(runs / "undisturbed-0.0") == pytest.approx(losses(tmp_path / "one"), abs=1e-4)


def test_one_process_goes_on_with_a_run_of_two(
    runs: Path, tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    run = tmp_path / "handed-over"
    shutil.copytree(runs / "handed-over", run)

    pretrain(tiny_corpus, run, make_recipe(dropout=0.0), resume=True, say=lambda _: None)

    assert losses(run) == pytest.approx(losses(runs / "undisturbed-0.0"), abs=1e-4)


def test_resuming_in_two_processes_is_bit_exact(runs: Path) -> None:
    def files(run: Path) -> dict[str, bytes]:
        names = ("model.safetensors", "optimizer.safetensors", "rng.safetensors")
        return {name: (run / "checkpoint-8" / name).read_bytes() for name in names}

    assert files(runs / "resumed") == files(runs / "undisturbed-0.1")
    assert losses(runs / "resumed") == losses(runs / "undisturbed-0.1")


def test_two_processes_fine_tune_to_the_weights_of_one(
    runs: Path, tiny_encoder: Path, tmp_path: Path, make_finetune: Callable[..., Finetune]
) -> None:
    one, two = tmp_path / "one", runs / "fine-tuned"

    alone = finetune(
        runs / "examples.tsv", tiny_encoder, one, make_finetune(dropout=0.0), say=lambda _: None
    )

    for name in ("classification_loss", "validation_log_loss"):
        assert losses(two, name) == pytest.approx(losses(one, name), abs=1e-5)
    weights, before = load_file(alone.folder / WEIGHTS), load_file(tiny_encoder / WEIGHTS)
    for name, tensor in load_file(two / "model" / WEIGHTS).items():
        assert torch.allclose(tensor, weights[name], rtol=0.0, atol=1e-5), name
    moved = [(weights[f"bert.{name}"] - tensor).abs().max() for name, tensor in before.items()]
    assert max(moved) > 1e-3
    rejects = (two / "rejects.jsonl").read_text()
    assert len(rejects.splitlines()) == 3
    assert rejects == (one / "rejects.jsonl").read_text()
