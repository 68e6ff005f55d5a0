"""Settings are said once, in the recipe's models: flags and their help come from there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from unmask.cli.application import app
from unmask.cli.flags import given
from unmask.recipe.config import Finetune, FinetuneChoices, Pretrain, PretrainChoices, TrialChoices
from unmask.train.config import FinetuningConfig


@pytest.mark.parametrize(
    ("verb", "choices"),
    [
        (["pretrain"], PretrainChoices),
        (["finetune", "qa"], FinetuneChoices),
        (["tune", "tagging"], TrialChoices),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_every_choice_has_a_flag_with_the_models_words(
    verb: list[str], choices: type[BaseModel]
) -> None:
    command = app
    for word in verb:
        command = command[word]
    helps = {flag.name: flag.parameter.help for flag in command.assemble_argument_collection()}

    for name, field in choices.model_fields.items():
        assert field.description
        assert helps[f"--{name.replace('_', '-')}"] == field.description


@pytest.mark.parametrize(
    ("recipe", "choices", "elsewhere"),
    [
        (Pretrain, PretrainChoices, {"model"}),
        (Finetune, FinetuneChoices, {"task"}),
    ],
)
def test_only_tables_stand_outside_the_choices(
    recipe: type[BaseModel], choices: type[BaseModel], elsewhere: set[str]
) -> None:
    others = recipe.model_fields.keys() - choices.model_fields.keys() - elsewhere
    kinds = [recipe.model_fields[name].annotation for name in others]

    assert issubclass(recipe, choices)
    assert all(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in kinds)


def test_what_was_not_written_is_left_to_the_recipe() -> None:
    choices = FinetuneChoices(pictures=True, dropout=0.1)
    tables = {"train": FinetuningConfig(steps=3), "optim": None, "settings": FinetuningConfig()}

    assert given(choices, tables) == {"pictures": True, "dropout": 0.1, "train": {"steps": 3}}
    assert given(None, {}) == {}


def test_flags_win_over_the_recipe_and_pictures_have_one(
    tiny_encoder: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "train.tsv"
    words = [("good", "yes"), ("bad", "no")] * 10
    file.write_text("text\tlabel\n" + "".join(f"{word} film\t{label}\n" for word, label in words))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        "baselines = false\npictures = true\nvalidation_rate = 0.3\n"
        "[train]\nsteps = 9\nbatch_size = 4\n"
    )

    said = run(
        *(
            "finetune",
            "classification",
            file,
            "--model",
            tiny_encoder,
            "--output",
            tmp_path / "run",
        ),
        *("--recipe", recipe, "--no-pictures", "--validation-rate", 0.2, "--train.steps", 2),
    )

    assert said.code == 0, said.err
    model = tmp_path / "run" / "model"
    stored = json.loads((model / "unmask.json").read_text())["recipe"]
    assert (stored["baselines"], stored["pictures"], stored["validation_rate"]) == (
        False,
        False,
        0.2,
    )
    assert (stored["train"]["steps"], stored["train"]["batch_size"]) == (2, 4)
    assert not list(model.glob("*.png"))


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--validation-rate", 2, "--validation-rate 2: expected less than 1."),
        ("--seeds", 0, "--seeds 0: expected 1 or more."),
        ("--dropout", "x", "--dropout x: expected a number."),
    ],
)
def test_a_wrong_choice_is_told_by_its_flag(
    flag: str, value: object, message: str, run: Callable[..., Any]
) -> None:
    said = run("finetune", "qa", "x", "--model", "m", "--output", "o", flag, value)

    assert (said.code, said.err.strip()) == (2, f"unmask: {message}")
