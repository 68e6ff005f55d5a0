"""Run by torchrun, in each of two processes: not collected by itself (see test_processes.py)."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from unmask.cli.application import app
from unmask.errors import MachineError, Stopped, UsageError
from unmask.recipe.config import Finetune, Pretrain
from unmask.recipe.finetune import finetune
from unmask.recipe.pretrain import pretrain
from unmask.train.distributed import World

FOLDER = Path(os.environ.get("UNMASK_TEST_FOLDER", ""))
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


pytestmark = pytest.mark.usefixtures("both")


def hush(_: str) -> None:
    """Hears the run's lines and says none of them."""


def opened_to_write() -> list[str]:
    """Fills up, from now on, with the files that this process opens for writing."""
    found: list[str] = []

    def listen(event: str, details: tuple[object, ...]) -> None:
        if event == "open" and isinstance(details[2], int) and details[2] & WRITES:
            found.append(str(details[0]))

    sys.addaudithook(listen)
    return found


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


def test_two_processes_fine_tune_and_one_of_them_writes(
    tiny_encoder: Path, make_finetune: Callable[..., Finetune], both: World
) -> None:
    rows = [
        f"the {what} was {word}\t{label}"
        for what in ("cat", "dog", "film", "cat film", "dog film")
        for label, words in (("yes", "good fine nice"), ("no", "bad poor awful"))
        for word in words.split()
    ]
    file = FOLDER / "examples.tsv"
    both.first(
        lambda: file.write_text("\n".join(["text\tlabel", *rows, "the", "\tyes", "a\tb\tc"]))
    )
    run, opened = FOLDER / "fine-tuned", opened_to_write()

    finetune(file, tiny_encoder, run, make_finetune(dropout=0.0), say=hush)

    written = [path for path in opened if path.startswith(str(run))]
    assert bool(written) == both.is_first, written
