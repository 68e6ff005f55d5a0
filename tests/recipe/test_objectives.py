"""What recipes pretrain by beside masked language modelling, from a corpus to folders that load."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from pydantic import ValidationError

import unmask
from unmask.checkpoint.describe import describe
from unmask.checkpoint.doctor import examine_model
from unmask.checkpoint.native import load
from unmask.checkpoint.runs import GENERATOR_FOLDER
from unmask.cli.summary import summary
from unmask.data.labelled.config import LabelledConfig
from unmask.errors import Stopped, UsageError
from unmask.recipe.config import Finetune, Pretrain
from unmask.recipe.evaluate import evaluate
from unmask.recipe.examples import examined
from unmask.recipe.finetune import finetune
from unmask.recipe.pretrain import Result, pretrain
from unmask.recipe.telling import warning_of
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.replaced_token import ReplacedToken
from unmask.train.log import METRICS_FILE, read_metrics

DETECTION = {"objective": "replaced-token", "family": "electra"}
SIZES = {
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
}
CONTROL = {"objective": "left-to-right", "family": "left-to-right"}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "falling": {"masking": {"rate": 0.5, "final_rate": 0.1}},
    "order": {"sentence_order": True},
    "separate": {**DETECTION, "generator": {"embeddings": "separate"}},
    "shared": {**DETECTION, "generator": {"embeddings": "shared"}},
    "disentangled": DETECTION,
    "deberta": {**DETECTION, "family": "deberta-v2", "model": {"position_buckets": 8}},
    "left-to-right": CONTROL,
}
FILES = ("model.safetensors", "optimizer.safetensors", "rng.safetensors", "beside.safetensors")


def hush(_: str) -> None:
    """Hears the run's lines and says none of them."""


def settings_of(name: str) -> dict[str, Any]:
    """Of a recipe by an objective for a small model."""
    objective = OBJECTIVES[name]
    return {**objective, "model": {**SIZES, **objective.get("model", {})}}


def terminate_after_three_steps(line: str) -> None:
    if line.startswith("step      3"):
        signal.raise_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def trained(tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Result]:
    """A short run by an objective, made once."""
    runs: dict[str, Result] = {}

    def run(name: str) -> Result:
        if name not in runs:
            recipe = Pretrain.model_validate(
                {
                    "preset": "tiny",
                    "validation_rate": 0.1,
                    "train": {"steps": 12, "batch_size": 8, "sequence_length": 32},
                    **settings_of(name),
                }
            )
            folder = tmp_path_factory.mktemp(name) / "run"
            runs[name] = pretrain(tiny_corpus, folder, recipe, say=hush)
        return runs[name]

    return run


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_stopped_run_goes_on_bit_for_bit(
    name: str, tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    recipe = make_recipe(dropout=0.1, optim={"name": "muon"}, **settings_of(name))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    pretrain(tiny_corpus, whole, recipe, say=hush)

    with pytest.raises(Stopped, match="stopped at step 4"):
        pretrain(tiny_corpus, parts, recipe, say=terminate_after_three_steps)
    pretrain(tiny_corpus, parts, recipe, resume=True, say=hush)

    def contents(run: Path) -> dict[str, bytes]:
        last = run / "checkpoint-8"
        return {n: (last / n).read_bytes() for n in FILES if (last / n).exists()}

    def losses(run: Path) -> list[dict[str, Any]]:
        lines = read_metrics(run / METRICS_FILE)
        return [{n: line[n] for n in line if n.endswith("_loss")} for line in lines]

    assert contents(parts) == contents(whole)
    assert ("beside.safetensors" in contents(whole)) == (
        OBJECTIVES[name].get("objective") == "replaced-token"
    )
    assert losses(parts) == losses(whole)


def test_a_falling_rate_falls_over_the_run(
    tiny_corpus: Path, tmp_path: Path, make_recipe: Callable[..., Pretrain]
) -> None:
    """The mask of a step is that of its share of the budget, so fewer steps fall faster."""
    constant = make_recipe(masking={"rate": 0.5})
    falling = make_recipe(masking={"rate": 0.5, "final_rate": 0.1})
    pretrain(tiny_corpus, tmp_path / "constant", constant, say=hush)
    pretrain(tiny_corpus, tmp_path / "falling", falling, say=hush)

    first, *_, last = (
        [
            read_metrics(tmp_path / run / METRICS_FILE)[step]["mlm_loss"]
            for run in ("constant", "falling")
        ]
        for step in (0, 7)
    )

    assert first[0] == first[1]
    assert last[0] != last[1]


@pytest.mark.parametrize("name", ["separate", "shared", "disentangled"])
def test_discriminator_and_generator_are_electras_for_other_tools(
    name: str, trained: Callable[..., Result]
) -> None:
    result = trained(name)
    generator = result.folder.parent / GENERATOR_FOLDER
    ours, filling = load(result.folder), load(generator)
    assert (set(ours.model.heads), set(filling.model.heads)) == ({"rtd"}, {"mlm"})
    theirs = transformers.ElectraForPreTraining.from_pretrained(result.folder).eval()
    fills = transformers.ElectraForMaskedLM.from_pretrained(generator).eval()
    ids = torch.tensor([[2, 10, 4, 12, 13, 3]])

    with torch.no_grad():
        batch = unmask.pack(ids.tolist())
        hidden = ours.model.encoder(batch)
        judged = theirs(input_ids=ids).logits[0]
        proposed = filling.model.heads["mlm"](filling.model.encoder(unmask.pack(ids.tolist())))
        expected = fills(input_ids=ids).logits[0]

    assert torch.allclose(ours.model.heads["rtd"](hidden, batch), judged, rtol=0, atol=1e-5)
    assert torch.allclose(proposed, expected, rtol=0, atol=1e-5)


def test_shared_vectors_are_the_same_in_both_folders(trained: Callable[..., Result]) -> None:
    folder = trained("shared").folder
    generator = load(folder.parent / GENERATOR_FOLDER)

    tokens = load(folder).model.encoder.embedding.tokens.weight
    assert torch.equal(tokens, generator.model.encoder.embedding.tokens.weight)


def test_the_generator_fills_and_the_discriminator_says_why_not(
    trained: Callable[..., Result],
) -> None:
    folder = trained("disentangled").folder

    answers = unmask.load(folder.parent / GENERATOR_FOLDER).predict("The [MASK] went.", top_k=3)

    assert len(answers) == 3
    with pytest.raises(UsageError, match=f"Load {folder.parent / GENERATOR_FOLDER}"):
        unmask.load(folder).predict("The [MASK] went.")
    with pytest.raises(UsageError, match=f"give {folder.parent / GENERATOR_FOLDER}"):
        evaluate(folder, folder)
    assert any(
        str(folder.parent / GENERATOR_FOLDER) in found.fix for found in examine_model(folder)
    )


def test_figures_of_the_generator_are_called_its(trained: Callable[..., Result]) -> None:
    result = trained("disentangled")
    described = describe(result.folder)

    assert described["final_losses"]["is_of_generator"]
    assert "generator's loss" in dict(summary(described))
    assert warning_of({**result.scores, "mlm_loss": 99.0}, 6.0).startswith(  # type: ignore[union-attr]
        "warning: the generator's held-out loss"
    )
    own = sum(parameter.numel() for parameter in load(result.folder).model.parameters())
    assert f"of {own / 1e6:.1f}M parameters" in (result.folder / "README.md").read_text()


def test_rates_that_fall_are_said_from_beginning_to_end(trained: Callable[..., Result]) -> None:
    assert "training (50 to 10 % hidden)  ● held out (15 % hidden)" in trained("falling").sketch


def test_the_card_of_a_mask_decoder_says_that_other_tools_leave_it_out(
    tiny_corpus: Path, tmp_path: Path
) -> None:
    recipe = {
        "family": "deberta-v2",
        "model": {**SIZES, "position_buckets": 8},
        "train": {"steps": 1, "batch_size": 2, "sequence_length": 32},
    }

    folder = pretrain(tiny_corpus, tmp_path / "run", recipe, say=hush).folder

    assert "enhanced mask decoder" in (folder / "README.md").read_text()


def test_detection_is_measured_on_held_out_text(trained: Callable[..., Result]) -> None:
    scores = trained("disentangled").scores

    assert {"mlm_loss", "mlm_accuracy", "rtd_loss", "rtd_accuracy"} <= scores.keys()
    assert scores["rtd_loss"] < 0.7  # nats of a coin
    assert ReplacedToken().name == "replaced_token"


@pytest.mark.parametrize("name", ["order", "disentangled"])
def test_what_was_pretrained_can_be_fine_tuned(
    name: str,
    trained: Callable[..., Result],
    tmp_path: Path,
    make_finetune: Callable[..., Finetune],
) -> None:
    rows = [(f"The {animal} went.", animal) for animal in ("cat", "dog") for _ in range(8)]

    outcome = finetune(rows, trained(name).folder, tmp_path / "run", make_finetune(), say=hush)

    assert unmask.load(outcome.folder).predict("The dog went.")["label"] in ("cat", "dog")


def test_order_is_measured_by_a_term_of_its_own_and_told(trained: Callable[..., Result]) -> None:
    result = trained("order")

    assert {"sop_loss", "sop_accuracy"} <= result.scores.keys()
    assert "nsp_loss" not in result.scores
    assert "sentence order prediction" in (result.folder / "README.md").read_text()
    task = load(result.folder).task
    assert isinstance(task, MaskedLM)
    assert task.pair_term == "sop"
    made_by = describe(result.folder)["made_by"]
    assert made_by["recipe"]["sentence_order"] is True
    assert made_by["recipe"]["next_sentence"] is False


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("falling", "masked language modelling (50 to 10 % of the tokens, by token)"),
        ("order", "(15 % of the tokens, by token) and sentence order prediction"),
        ("disentangled", "replaced token detection (15 % of the tokens"),
        ("left-to-right", "predicting the next token: a control"),
    ],
)
def test_inspect_says_by_what_a_model_was_pretrained(
    name: str, words: str, trained: Callable[..., Result]
) -> None:
    said = dict(summary(describe(trained(name).folder)))

    assert words in said["pretrained by"]
    assert said["task"] == objective_task(name)


def objective_task(name: str) -> str:
    named = {"replaced-token": "replaced_token", "left-to-right": "left_to_right"}
    return named.get(OBJECTIVES[name].get("objective", ""), "masked_lm")


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"next_sentence": True, "sentence_order": True}, "ask one"),
        ({**DETECTION, "next_sentence": True}, "next_sentence goes with objective mlm"),
        ({**CONTROL, "sentence_order": True}, "sentence_order goes with objective mlm"),
        ({"sentence_order": True, "family": "roberta"}, "family roberta has no head for pairs"),
        ({**CONTROL, "masking": {"rate": 0.3}}, "masking is without effect"),
        ({"generator": {"embeddings": "shared"}}, "generator is for objective replaced-token"),
        ({"objective": "left-to-right"}, "does not go with family bert"),
        ({"family": "left-to-right"}, "belong together"),
        (
            {"objective": "replaced-token"},
            "does not go with family bert.*one: electra, deberta, deberta-v2",
        ),
        (
            {
                **DETECTION,
                "family": "deberta-v2",
                "generator": {"model": {"hidden_size": 64}},
            },
            "token vectors are 64 wide",
        ),
        (
            {**DETECTION, "generator": {"model": {"embedding_size": 16}}},
            "set generator.embeddings separate",
        ),
    ],
)
def test_settings_that_do_not_fit_the_objective_are_refused(
    settings: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Pretrain.model_validate(settings)


def test_the_control_is_a_folder_that_no_other_tool_takes_for_a_bert(
    trained: Callable[..., Result],
) -> None:
    folder = trained("left-to-right").folder

    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "left-to-right"
    assert config["architectures"] == ["LeftToRightControlForMaskedLM"]
    with pytest.raises(ValueError, match="left-to-right"):
        transformers.AutoConfig.from_pretrained(folder)
    assert "It does not generate text" in (folder / "README.md").read_text()


def test_the_control_is_refused_with_the_reason(
    trained: Callable[..., Result],
    tiny_corpus: Path,
    tmp_path: Path,
    make_finetune: Callable[..., Finetune],
    make_recipe: Callable[..., Pretrain],
) -> None:
    folder = trained("left-to-right").folder
    rows = [("The cat went.", "a"), ("The dog went.", "b")] * 4
    labelled = tmp_path / "rows.tsv"
    labelled.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows))
    asks: list[Callable[[], Any]] = [
        lambda: unmask.load(folder),
        lambda: evaluate(folder, tiny_corpus),
        lambda: finetune(rows, folder, tmp_path / "tuned", make_finetune(), say=hush),
        lambda: pretrain(tiny_corpus, tmp_path / "on", make_recipe(), model=folder, say=hush),
        lambda: unmask.TextClassifier(str(folder)).fit(*zip(*rows, strict=True)),
        lambda: unmask.TextClassifier.load(folder),
        lambda: examine_model(folder),
        lambda: examined("classification", labelled, [], LabelledConfig(), folder),
    ]
    for ask in asks:
        with pytest.raises(UsageError, match="does not generate text"):
            ask()


def test_the_control_stays_one_when_its_experiment_fine_tunes_it(
    trained: Callable[..., Result], tmp_path: Path, make_finetune: Callable[..., Finetune]
) -> None:
    rows = [(f"The {animal} went.", animal) for animal in ("cat", "dog") for _ in range(8)]
    folder = trained("left-to-right").folder

    outcome = finetune(rows, folder, tmp_path / "run", make_finetune(), say=hush, control=True)

    assert json.loads((outcome.folder / "config.json").read_text())["model_type"] == "left-to-right"
    with pytest.raises(UsageError, match="does not generate text"):
        unmask.load(outcome.folder)


@pytest.mark.parametrize("name", ["disentangled", "left-to-right"])
def test_other_objectives_begin_afresh(
    name: str,
    trained: Callable[..., Result],
    tiny_corpus: Path,
    tmp_path: Path,
    make_recipe: Callable[..., Pretrain],
) -> None:
    with pytest.raises(UsageError, match="begins afresh"):
        pretrain(
            tiny_corpus,
            tmp_path / "run",
            make_recipe(**OBJECTIVES[name]),
            model=trained("order").folder,
            say=hush,
        )
