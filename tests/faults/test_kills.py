"""A run that is killed and resumed ends with the bits of one that was left alone."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., Any]
RUNS: dict[str, dict[str, object]] = {
    "adamw": {"train__steps": 24},
    "muon with next sentences": {
        "train__steps": 24,
        "optim__name": "muon",
        "next_sentence": True,
    },
}
LONGEST_SECONDS = 0.2
"""Kills come at random within so much after the first checkpoint that a process has written."""

MOMENTS = [
    ("os.mkdir", "checkpoint-0.tmp-", 1),
    ("open", "trainer_state.json", 2),
    ("open", "MANIFEST.json", 1),
    ("os.rename", "checkpoint-", 2),
    ("os.remove", "model.safetensors", 1),
    ("open", "metrics.jsonl", 4),
    ("os.rename", "metrics.tmp", 1),
    ("open", "loss.png", 1),
    ("os.rename", "model.tmp-", 1),
]
"""Audit events in the order in which a run meets them, each fatal at its n-th time."""


def assert_as_undisturbed(run: Any, undisturbed: Any) -> None:
    """The same bits, the same lines in the log, and nothing left behind."""
    assert run.hashes() == undisturbed.hashes()
    assert run.leftovers() == []
    assert run.steps() == undisturbed.steps()
    assert losses(run) == losses(undisturbed)


def losses(run: Any) -> Counter[tuple[Any, ...]]:
    """Every logged loss with its step, and how often it stands there."""
    names = ("step", "tokens", "mlm_loss", "nsp_loss", "validation_mlm_loss")
    return Counter(tuple(line.get(name) for name in names) for line in run.metrics())


def kill_at_random(run: Any, chance: random.Random) -> bool:
    """Kills a process of the run some time after it has come further; False if it had ended."""
    before = run.steps()
    running = run.start(resume=True)
    running.wait_until(lambda: run.steps() not in ([], before))
    time.sleep(chance.uniform(0.0, LONGEST_SECONDS))
    running.signal(signal.SIGKILL)
    ended = running.wait()
    assert ended.exit_code in (0, -signal.SIGKILL), ended.stderr
    return bool(ended.exit_code)


@pytest.mark.parametrize("name", RUNS)
def test_three_kills_at_random_moments_change_no_bit(
    name: str, pretraining: Make, undisturbed: Make
) -> None:
    flags = {**RUNS[name], "train__steps": 120}  # enough for the third kill to come in time
    run = pretraining(**flags)
    chance = random.Random(name)

    num_kills = sum(kill_at_random(run, chance) for _ in range(3))

    assert run(resume=True).exit_code == 0
    assert num_kills == 3
    assert_as_undisturbed(run, undisturbed(**flags))


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_twenty_kills_at_random_moments_change_no_bit(
    name: str, pretraining: Make, undisturbed: Make
) -> None:
    flags = {
        **RUNS[name],
        "train__steps": 800,
        "train__save_every": 3,
        "train__keep_checkpoints": 1,
    }
    run = pretraining(**flags)
    chance = random.Random(f"twenty of {name}")

    num_kills = sum(kill_at_random(run, chance) for _ in range(24))

    assert run(resume=True).exit_code == 0
    assert num_kills >= 20
    assert_as_undisturbed(run, undisturbed(**flags))


def test_a_kill_at_any_point_of_writing_changes_no_bit(
    pretraining: Make, undisturbed: Make
) -> None:
    flags = {"train__steps": 12, "train__keep_checkpoints": 1}
    run = pretraining(**flags)

    for moment in MOMENTS:
        ended = run(resume=True, die=moment)
        assert ended.exit_code == -signal.SIGKILL, (moment, ended.stderr)

    assert run(resume=True).exit_code == 0
    assert_as_undisturbed(run, undisturbed(**flags))


def test_a_kill_loses_no_more_than_the_steps_since_the_last_checkpoint(pretraining: Make) -> None:
    run = pretraining(train__steps=12, train__save_every=5)
    assert run(die=("open", "metrics.jsonl", 9)).exit_code == -signal.SIGKILL
    assert run.steps() == [0, 5]

    ended = run(resume=True)

    assert ended.exit_code == 0, ended.stderr
    assert [line.split()[1] for line in ended.stderr.splitlines() if " tokens/s" in line] == [
        str(step) for step in range(6, 13)
    ]
