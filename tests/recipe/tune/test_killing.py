"""A search whose process was killed goes on as if it had not been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from unmask.checkpoint.runs import checkpoints
from unmask.recipe.tune.config import Tune
from unmask.recipe.tune.report import Tuned
from unmask.recipe.tune.search import tune
from unmask.train.log import METRICS_FILE, read_metrics

TRIALS, EPOCHS, SAVE_EVERY = 3, 16, 10
RECIPE: dict[str, Any] = {
    "task": "classification",
    "trials": TRIALS,
    "space": {"learning_rate": (1e-3, 2e-2), "batch_size": (8, 16)},
    "train": {"epochs": EPOCHS, "save_every": SAVE_EVERY},
}
FLAGS = [
    *("--trials", TRIALS, "--space.learning-rate", 1e-3, 2e-2, "--space.batch-size", 8, 16),
    *("--train.epochs", EPOCHS, "--train.save-every", SAVE_EVERY),
]


def killed_in_the_second_trial(*arguments: object) -> None:
    """Runs the verb in a process that is killed after a few epochs of its second trial."""
    process = subprocess.Popen(
        [sys.executable, "-m", "unmask", "tune", "classification", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # as the test itself, for the same last digits
    )
    with process:
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            started = any(one.startswith("trial 2 of 3: ") for one in said)
            if started and sum("held out" in one for one in said) == EPOCHS + 5:
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "".join(said)


def told(tuned: Tuned) -> list[tuple[Any, ...]]:
    """What the trials came to, but for the time they took."""
    return [(t.number, t.state, t.score, t.parameters) for t in tuned.trials]


def test_a_killed_search_goes_on_in_the_midst_of_its_trial(
    train_file: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    recipe, search = Tune.model_validate(RECIPE), tmp_path / "killed"
    killed_in_the_second_trial(train_file, "--model", tiny_encoder, "--output", search, *FLAGS)
    finished = (search / "trial-1" / METRICS_FILE).read_bytes()
    assert checkpoints(search / "trial-2")
    assert not (search / "trial-2" / "model").exists()
    said: list[str] = []

    tuned = tune(train_file, tiny_encoder, search, recipe, say=said.append)

    undisturbed = tune(train_file, tiny_encoder, tmp_path / "whole", recipe, say=lambda _: None)
    assert told(tuned) == told(undisturbed)
    assert [line.partition(":")[0] for line in said if line.startswith("trial")] == [
        *["trial 2 of 3"] * 2,
        *["trial 3 of 3"] * 2,
    ]
    assert (search / "trial-1" / METRICS_FILE).read_bytes() == finished
    steps = [line["step"] for line in read_metrics(search / "trial-2" / METRICS_FILE)]
    whole = read_metrics(tmp_path / "whole" / "trial-2" / METRICS_FILE)
    assert steps == [line["step"] for line in whole]
