from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from unmask.checkpoint.doctor import examine_model
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

    assert figures["mlm_loss"] < figures["corpus_unigram_entropy"]
    assert figures["mlm_accuracy"] > figures["corpus_unigram_accuracy"]
    assert set(figures) == {
        *("mlm_loss", "mlm_accuracy", "mlm_pseudo_perplexity", "nsp_loss", "nsp_accuracy"),
        *("corpus_unigram_entropy", "corpus_unigram_accuracy"),
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
    assert re.match(
        r"held out: 4 documents \(10\.0% of the corpus'\), \d+ sequences, all of them measured",
        said[1],
    )
    assert "about 13 epochs in 60 steps" in said[0]
    assert sum(line.startswith("step") and "held out:" in line for line in said) == 3
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

    lines = read_metrics(tmp_path / "run" / METRICS_FILE)
    tokens = [line["tokens"] for line in lines if "mlm_loss" in line]
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


def test_a_short_run_is_measured_often_unless_it_says_how_often(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    def num_evaluations(name: str, **train: Any) -> int:
        settings = make_recipe().model_dump(exclude_unset=True)
        del settings["train"]["evaluate_every"]
        settings["train"] |= train
        pretrain(tiny_corpus, tmp_path / name, settings, say=hush)
        lines = read_metrics(tmp_path / name / METRICS_FILE)
        return sum("validation_mlm_loss" in line for line in lines)

    assert num_evaluations("unsaid", steps=20) == 10
    assert num_evaluations("said", steps=20, evaluate_every=200) == 1


def test_two_rates_of_masking_are_told_once(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    def said(name: str, **fields: Any) -> tuple[str, Result]:
        lines: list[str] = []
        recipe = make_recipe({"steps": 1}, **fields)
        result = pretrain(tiny_corpus, tmp_path / name, recipe, say=lines.append)
        return "\n".join(lines), result

    differing, result = said("differing", masking={"rate": 0.3})
    alike, _ = said("alike")
    assert differing.count("training hides 30 % of the tokens, held-out text 15 %") == 1
    assert "hides" not in alike
    assert "training (30 % hidden)  ● held out (15 % hidden)" in result.sketch


def test_a_run_that_learned_nothing_ends_with_a_warning_and_keeps_it(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    said: list[str] = []
    recipe = make_recipe({"steps": 4}, optim={"learning_rate": 100.0, "warmup_rate": 0.0})

    result = pretrain(tiny_corpus, tmp_path / "run", recipe, say=said.append)

    assert result.warning == said[-1]
    assert "above the unigram entropy of the corpus" in said[-1]
    assert "optim.learning_rate" in said[-1]
    card = (result.folder / "README.md").read_text(encoding="utf-8")
    assert said[-1] in card
    perplexity = re.search(r"mlm_pseudo_perplexity \| (\S+)", card)
    assert perplexity is not None
    assert re.fullmatch(r"\d\.\d{4}e\+\d+", perplexity[1])
    scores = json.loads((result.folder / "scores.json").read_text(encoding="utf-8"))
    assert scores["validation"]["mlm_loss"] == result.scores["mlm_loss"]
    assert scores["corpus_unigram_entropy"] == result.unigram_entropy
    assert any("ended at a held-out loss" in found.what for found in examine_model(result.folder))


def test_a_run_that_learned_something_warns_of_nothing(
    trained: tuple[Result, list[str]],
) -> None:
    result, said = trained

    assert result.warning is None
    assert not said[-1].startswith("warning")
    assert not [found for found in examine_model(result.folder) if found.severity == "warning"]


def test_a_folder_of_other_things_is_left_alone(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    for resume in (False, True):
        with pytest.raises(UsageError, match="holds something else, which stays untouched"):
            pretrain(tiny_corpus, tmp_path, make_recipe(), say=hush, resume=resume)

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_says_where_it_goes_on_and_when_it_was_finished(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    def resumed() -> str:
        said: list[str] = []
        recipe = make_recipe({"save_every": 4})
        pretrain(tiny_corpus, tmp_path / "run", recipe, say=said.append, resume=True)
        return "\n".join(said)

    assert "nothing to resume: the run begins" in resumed()
    assert "already finished at step 8" in resumed()
    shutil.rmtree(tmp_path / "run" / "checkpoint-8")
    assert "goes on from checkpoint-4 (step 4 of 8)" in resumed()


def test_settings_may_come_as_a_mapping(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    settings = make_recipe({"steps": 1}).model_dump(exclude_unset=True)

    assert pretrain(tiny_corpus, tmp_path / "run", settings, say=hush).folder.is_dir()
    with pytest.raises(UsageError, match=r"\[train\]: unknown key `step`. Did you mean `steps`?"):
        pretrain(tiny_corpus, tmp_path / "other", {"train": {"step": 1}}, say=hush)
    with pytest.raises(UsageError, match="expected a Pretrain or a mapping"):
        pretrain(tiny_corpus, tmp_path / "other", "mini.toml", say=hush)  # type: ignore[arg-type]


def test_several_texts_become_one_corpus(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    text = tiny_corpus.parent / "text.txt"
    parts = []
    for number, block in enumerate(text.read_text().split("\n\n")[:20]):
        parts.append(tmp_path / f"{number}.txt")
        parts[-1].write_text(block)
    recipe = make_recipe({"steps": 1})

    pretrain(parts, tmp_path / "run", recipe, tokenizer=tiny_corpus / "tokenizer", say=hush)

    assert Shards.open(tmp_path / "run" / "corpus").num_documents == 20
    with pytest.raises(DataError, match="not a corpus"):
        pretrain(parts, tmp_path / "other", recipe, say=hush)
    with pytest.raises(UsageError, match="expected one corpus"):
        pretrain([tiny_corpus, tiny_corpus], tmp_path / "other", recipe, say=hush)


def test_a_corpus_that_is_not_there_is_named_first(
    tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    with pytest.raises(DataError, match="nope: no such file or folder"):
        pretrain(tmp_path / "nope", tmp_path / "run", make_recipe(), say=hush)
