"""Run by torchrun, in each of two processes: not collected by itself (see test_processes.py)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from unmask.errors import Stopped
from unmask.recipe.config import Pretrain
from unmask.recipe.pretrain import pretrain

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


def test_two_processes_stop_and_go_on(make_recipe: Callable[..., Pretrain]) -> None:
    recipe, run = make_recipe(dropout=0.1), FOLDER / "resumed"

    with pytest.raises(Stopped, match="stopped at step 4"):
        pretrain(FOLDER / "corpus", run, recipe, say=terminate_after_three_steps)
    pretrain(FOLDER / "corpus", run, recipe, resume=True, say=hush)
