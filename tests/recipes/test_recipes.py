"""Every recipe of the repository runs, shrunk to a tiny model on a tiny corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from unmask.recipe.config import Pretrain
from unmask.recipe.files import load
from unmask.recipe.pretrain import pretrain
from unmask.train.log import METRICS_FILE, read_metrics

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").rglob("*.toml"))


def shrunk(path: Path) -> dict[str, Any]:
    """Flags that leave a recipe's kind of run as it is, and take its size."""
    whole = load(path, {}, Pretrain)
    train: dict[str, Any] = {"steps": 2, "batch_size": 4, "sequence_length": 32}
    if whole.train.initial_sequence_length is not None:
        train |= {"initial_sequence_length": 16, "sequence_warmup_rate": 0.5}
    if whole.train.initial_batch_size is not None:
        train |= {"initial_batch_size": 2, "batch_warmup_rate": 0.5}
    sizes = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2}
    return {
        "preset": "tiny",
        "model": {**sizes, "intermediate_size": 64, "max_position_embeddings": 32},
        "validation": None,
        "validation_rate": 0.1,
        "train": {**train, "log_every": 1, "validation_sequences": 4, "device": "cpu"},
    }


def test_there_are_recipes() -> None:
    assert {"demo", "mini-classic", "mini-fast", "base-paper"} <= {path.stem for path in RECIPES}


def test_every_objective_has_a_recipe() -> None:
    recipes = [load(path, {}, Pretrain) for path in RECIPES]
    objectives = get_args(Pretrain.model_fields["objective"].annotation)

    assert {recipe.objective for recipe in recipes} == set(objectives)
    assert any(recipe.next_sentence for recipe in recipes)
    assert any(recipe.sentence_order for recipe in recipes)
    assert any(recipe.masking.final_rate for recipe in recipes)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_runs_two_steps(path: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    flags = shrunk(path)
    recipe, whole = load(path, flags, Pretrain), load(path, {}, Pretrain)

    result = pretrain(tiny_corpus, tmp_path / "run", recipe, say=lambda _: None)

    lines = read_metrics(tmp_path / "run" / METRICS_FILE)
    term = "next_loss" if whole.objective == "left-to-right" else "mlm_loss"
    assert [line["step"] for line in lines if term in line] == [1, 2]
    assert ("nsp_loss" in result.scores) is whole.next_sentence
    assert ("sop_loss" in result.scores) is whole.sentence_order
    assert ("rtd_loss" in result.scores) is (whole.objective == "replaced-token")
    # What the flags do not name is the recipe's.
    assert recipe.optim == whole.optim
    assert (recipe.dropout, recipe.masking) == (whole.dropout, whole.masking)
    assert recipe.train.precision == whole.train.precision
    assert (result.folder / "model.safetensors").exists()
