from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from unmask.models.config import PRESETS, BertConfig
from unmask.recipe.tune.config import Tune

BASE, SMALL = BertConfig(), BertConfig(**PRESETS["mini"])


def made(**fields: Any) -> Tune:
    return Tune.model_validate({"task": "classification", **fields})


def test_the_space_is_the_papers_and_small_models_take_higher_rates() -> None:
    assert made().choices(BASE) == {
        "learning_rate": (2e-5, 5e-5),
        "batch_size": (16, 32),
        "epochs": (2, 5),
    }
    assert made().choices(SMALL)["learning_rate"] == (3e-5, 3e-4)


def test_ranges_that_are_given_are_searched() -> None:
    space = {"learning_rate": (1e-5, 1e-4), "layer_decay": (0.8, 1.0), "dropout": (0.0, 0.2),
             "warmup_rate": (0.0, 0.1)}  # fmt: skip

    choices = made(space=space).choices(BASE)

    assert {name: choices[name] for name in space} == space


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"optim": {"learning_rate": 1e-5}}, "learning_rate"),
        ({"train": {"batch_size": 8}}, "batch_size"),
        ({"train": {"epochs": 1}}, "epochs"),
        ({"train": {"steps": 10}}, "epochs"),
        ({"train": {"minutes": 10}}, "epochs"),
    ],
)
def test_what_the_recipe_sets_is_not_searched(fields: dict[str, Any], name: str) -> None:
    assert name not in made(**fields).choices(BASE)


def test_a_trial_is_the_recipe_with_its_values() -> None:
    recipe = made(metric="f1_macro", settings={"pooling": "mean"}, train={"seed": 3})

    trial = recipe.with_parameters(
        {"learning_rate": 1e-4, "batch_size": 16, "epochs": 2, "dropout": 0.2, "layer_decay": 0.9}
    )

    assert (trial.optim.learning_rate, trial.optim.layer_decay) == (1e-4, 0.9)
    assert (trial.train.batch_size, trial.train.epochs, trial.train.seed) == (16, 2, 3)
    assert (trial.dropout, trial.metric, trial.settings.pooling) == (0.2, "f1_macro", "mean")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"space": {"learning_rate": (1e-3, 1e-4)}}, "expected the least value first"),
        ({"space": {"batch_size": (16, 16)}}, "a size stands there twice"),
        ({"space": {"batch_size": (0, 16)}}, "space.batch_size 0: .*greater than or equal to 1"),
        ({"space": {"layer_decay": (0.5, 1.5)}}, "space.layer_decay 1.5: "),
        ({"space": {"epochs": (0, 3)}}, "space.epochs 0: "),
        ({"seeds": 3}, "a trial is one run"),
        (
            {"space": {"epochs": (1, 2)}, "train": {"epochs": 3}},
            "train.epochs is set and space.epochs too",
        ),
        ({"train": {"evaluate_every": 5}}, "set train.evaluations_per_epoch instead"),
        (
            {"space": {"layer_decay": (0.8, 1.0)}, "optim": {"name": "muon"}},
            "works with optim.name adamw only",
        ),
    ],
)
def test_spaces_that_cannot_be_are_told(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        made(**fields)
