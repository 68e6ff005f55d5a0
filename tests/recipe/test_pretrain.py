from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from unmask.checkpoint.native import load
from unmask.checkpoint.runs import checkpoints
from unmask.data.shards import Shards
from unmask.errors import DataError, UsageError
from unmask.recipe.config import Pretrain
from unmask.recipe.pretrain import Result, pretrain
from unmask.tasks.masked_lm import MaskedLM
from unmask.train.log import METRICS_FILE, read_metrics


def hush(_: str) -> None:
    """Hears the run's lines and says none of them."""


def losses(run: Path) -> list[float]:
    return [line["mlm_loss"] for line in read_metrics(run / METRICS_FILE) if "mlm_loss" in line]


@pytest.fixture(scope="module")
def trained(
    tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Result, list[str]]:
    """A run of sixty steps with pairs, and what it said."""
    said: list[str] = []
    sizes = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2}
    recipe = Pretrain.model_validate(
        {
            "preset": "tiny",
            "model": {**sizes, "intermediate_size": 64, "max_position_embeddings": 32},
            "dropout": 0.0,
            "next_sentence": True,
            "validation_rate": 0.1,
            "train": {
                "steps": 60,
                "batch_size": 16,
                "sequence_length": 32,
                "log_every": 10,
                "evaluate_every": 20,
                "save_every": 20,
            },
            "optim": {"name": "muon", "learning_rate": 1e-2, "muon_learning_rate": 1e-2},
        }
    )
    run = tmp_path_factory.mktemp("trained") / "run"
    return pretrain(tiny_corpus, run, recipe, say=said.append), said


def test_a_run_learns_more_than_token_frequencies(trained: tuple[Result, list[str]]) -> None:
    result, _ = trained
    figures = result.figures()

    assert figures["mlm_loss"] < figures["unigram_entropy"]
    assert figures["mlm_accuracy"] > figures["unigram_accuracy"]
    assert set(figures) == {
        *("mlm_loss", "mlm_accuracy", "mlm_pseudo_perplexity", "nsp_loss", "nsp_accuracy"),
        *("unigram_entropy", "unigram_accuracy"),
    }


def test_the_model_folder_holds_model_card_curve_and_how_it_was_made(
    trained: tuple[Result, list[str]],
) -> None:
    result, _ = trained

    card = (result.folder / "README.md").read_text(encoding="utf-8")
    assert f"| mlm_loss | {result.scores['mlm_loss']:.4f} |" in card
    assert "with next sentence prediction" in card
    assert "![loss](loss.png)" in card
    assert (result.folder / "loss.png").read_bytes() == result.curve.read_bytes()
    made = json.loads((result.folder / "unmask.json").read_text(encoding="utf-8"))
    assert "steps" in json.dumps(made)
    assert result.sketch.count("●") >= 3


def test_the_model_read_back_scores_what_the_run_said(
    trained: tuple[Result, list[str]], tiny_corpus: Path
) -> None:
    result, _ = trained
    bundle = load(result.folder)

    assert isinstance(bundle.task, MaskedLM)
    assert bundle.task.next_sentence
    assert bundle.tokenizer.sha256 == Shards.open(tiny_corpus).tokenizer_sha256
    newest = checkpoints(result.folder.parent)[-1]
    assert newest.name == "checkpoint-60"
    expected = load(newest).model.state_dict()
    for name, tensor in bundle.model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_people_hear_what_is_trained_and_how_it_goes(trained: tuple[Result, list[str]]) -> None:
    _, said = trained

    assert re.match(
        r"tiny BERT, 0\.0M parameters, vocabulary \d+; \d+ sequences of up to 32", said[0]
    )
    assert sum("held out:" in line for line in said) == 3
    assert sum(line.startswith("step") and "tokens/s" in line for line in said) == 6


def test_the_same_seed_gives_the_same_loss_and_another_seed_another(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    results = [
        pretrain(tiny_corpus, tmp_path / name, make_recipe({"seed": seed}), say=hush)
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    ]

    assert losses(tmp_path / "one") == losses(tmp_path / "same") != losses(tmp_path / "other")
    assert results[0].scores == results[1].scores
    weights = [(r.folder / "model.safetensors").read_bytes() for r in results]
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_micro_batches_do_not_change_the_run(
    name: str, tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    settings: dict[str, Any] = {"dropout": 0.0, "optim": {"name": name}}
    pretrain(tiny_corpus, tmp_path / "whole", make_recipe(**settings), say=hush)
    parts = make_recipe({"micro_batch_tokens": 50}, **settings)

    pretrain(tiny_corpus, tmp_path / "parts", parts, say=hush)

    # Muon rounds to bfloat16, which can turn a last bit into a difference of 1e-3 of an update.
    tolerance = 1e-4 if name == "adamw" else 1e-3
    assert losses(tmp_path / "parts") == pytest.approx(losses(tmp_path / "whole"), abs=tolerance)


def test_a_longer_second_stage_trains_on_longer_sequences(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    train = {"steps": 4, "initial_sequence_length": 10, "sequence_warmup_rate": 0.5}

    pretrain(tiny_corpus, tmp_path / "run", make_recipe(train), say=hush)

    tokens = [line["tokens"] for line in read_metrics(tmp_path / "run" / METRICS_FILE)][:4]
    steps = [after - before for before, after in zip([0, *tokens[:-1]], tokens, strict=True)]
    assert max(steps[:2]) <= 8 * 10 < min(steps[2:])


def test_held_out_text_is_measured_under_the_same_masks_whatever_the_seed(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    results = []
    for seed in (1, 2):
        recipe = make_recipe({"steps": 1, "seed": seed}, validation=tiny_corpus)
        results.append(pretrain(tiny_corpus, tmp_path / str(seed), recipe, say=hush))

    assert results[0].unigram_accuracy == results[1].unigram_accuracy > 0.0
    assert results[0].scores != results[1].scores, "the weights differ"


def test_an_embedding_smaller_than_the_vocabulary_is_refused(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    recipe = make_recipe(model={"vocab_size": 50})

    with pytest.raises(UsageError, match=r"model\.vocab_size is 50, but the corpus' tokenizer has"):
        pretrain(tiny_corpus, tmp_path / "run", recipe, say=hush)

    assert not (tmp_path / "run").exists()


def test_a_corpus_shorter_than_a_sequence_is_refused(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    recipe = make_recipe({"sequence_length": 8192}, model={"max_position_embeddings": 8192})

    with pytest.raises(DataError, match="fewer than one sequence of 8192"):
        pretrain(tiny_corpus, tmp_path / "run", recipe, say=hush)
