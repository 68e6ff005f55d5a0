"""A run that lost to what needs no fine-tuning says so in its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from unmask.recipe.config import Finetune
from unmask.recipe.finetune import finetune
from unmask.recipe.outcome import Outcome
from unmask.recipe.verdict import verdict

LOST = {"majority": {"accuracy": 0.7267}, "linear probe": {"accuracy": 0.7667}}


def outcome(own: float, others: dict[str, dict[str, float]], *, tested: bool = False) -> Outcome:
    test = {"accuracy": own} if tested else None
    validation = {"accuracy": 0.0 if tested else own}
    return Outcome(Path("run/model"), "accuracy", validation, test=test, baselines=others)


def test_the_better_baselines_are_named_the_best_first_and_what_may_help() -> None:
    assert verdict(outcome(0.5567, LOST), 34) == (
        "warning: `linear probe` (0.7667) and `majority` (0.7267) are no worse than this model: "
        "accuracy 0.5567 on the validation examples. It learned in 34 steps only: more epochs "
        "(--train.epochs) or a smaller batch (--train.batch-size) may help."
    )


def test_a_long_run_is_not_told_to_go_on_for_longer() -> None:
    said = verdict(outcome(0.74, LOST, tested=True), 100)

    assert said is not None
    assert said.startswith("warning: `linear probe` (0.7667) is no worse than this model: ")
    assert said.endswith("accuracy 0.7400 on the test examples.")


def test_a_run_that_won_or_has_no_baselines_says_nothing() -> None:
    assert verdict(outcome(0.8, LOST), 34) is None
    assert verdict(outcome(0.1, {}), 34) is None


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_run_says_it_last(tiny_encoder: Path, tmp_path: Path, seeds: int) -> None:
    words = [("good", "yes"), ("bad", "no")]
    rows = [(f"the film was {word} {i}", label) for i in range(30) for word, label in words]
    settings = {"seeds": seeds, "train": {"steps": 1}, "pictures": False}
    recipe = Finetune.model_validate({"task": "classification", **settings})
    said: list[str] = []

    finetune(rows, tiny_encoder, tmp_path / "run", recipe, say=said.append)

    assert [line for line in said if line.startswith("warning: ")] == said[-1:]
    assert "are no worse than this model" in said[-1]
    assert "It learned in 1 step only" in said[-1]
