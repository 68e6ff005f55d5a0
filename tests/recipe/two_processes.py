"""Run by torchrun, in each of two processes: not collected by itself (see test_processes.py)."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from unmask.cli.application import app
from unmask.errors import MachineError, Stopped, UsageError
from unmask.recipe.config import Pretrain
from unmask.recipe.pretrain import pretrain
from unmask.train.distributed import World

FOLDER = Path(os.environ.get("UNMASK_TEST_FOLDER", ""))


pytestmark = pytest.mark.usefixtures("both")


def hush(_: str) -> None:
    """Hears the run's lines and says none of them."""


def terminate_after_three_steps(line: str) -> None:
    if line.startswith("step      3"):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_two_processes_train_undisturbed(
    dropout: float, make_recipe: Callable[..., Pretrain]
) -> None:
    recipe = make_recipe(dropout=dropout)

    result = pretrain(FOLDER / "corpus", FOLDER / f"undisturbed-{dropout}", recipe, say=hush)

    assert result.scores["mlm_loss"] > 0.0


def test_two_processes_stop_for_one_to_go_on(make_recipe: Callable[..., Pretrain]) -> None:
    with pytest.raises(Stopped, match="stopped at step 4"):
        pretrain(
            FOLDER / "corpus",
            FOLDER / "handed-over",
            make_recipe(dropout=0.0),
            say=terminate_after_three_steps,
        )


def test_a_mistake_of_the_first_process_is_told_in_both(
    make_recipe: Callable[..., Pretrain],
) -> None:
    with pytest.raises(UsageError, match="holds a run already"):
        pretrain(FOLDER / "corpus", FOLDER / "undisturbed-0.0", make_recipe(), say=hush)
    with pytest.raises(MachineError, match="cannot be written"):
        pretrain(FOLDER / "corpus", FOLDER / "corpus" / "manifest.json" / "run", make_recipe())


def test_the_command_prints_its_result_once(
    capsys: pytest.CaptureFixture[str], both: World
) -> None:
    words = ["pretrain", FOLDER / "corpus", "--output", FOLDER / "by-command", "--preset", "tiny"]
    words += ["--train.steps", 1, "--train.sequence-length", 32, "--validation-rate", 0.1, "--json"]

    app([*map(str, words)], exit_on_error=False, result_action="return_value")

    printed = capsys.readouterr().out
    if both.is_first:
        assert json.loads(printed)["mlm_loss"] > 0.0
    else:
        assert printed == ""


def test_two_processes_stop_and_go_on(make_recipe: Callable[..., Pretrain]) -> None:
    recipe, run = make_recipe(dropout=0.1), FOLDER / "resumed"

    with pytest.raises(Stopped, match="stopped at step 4"):
        pretrain(FOLDER / "corpus", run, recipe, say=terminate_after_three_steps)
    pretrain(FOLDER / "corpus", run, recipe, resume=True, say=hush)
