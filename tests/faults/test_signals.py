"""A run that is asked to stop saves itself, says so once, and can go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("number", "flags"),
    [(signal.SIGTERM, {}), (signal.SIGINT, {"optim__name": "muon", "next_sentence": True})],
    ids=["SIGTERM", "SIGINT"],
)
def test_a_signal_saves_the_step_at_hand_and_the_rest_changes_no_bit(
    number: int, flags: dict[str, object], pretraining: Make, undisturbed: Make
) -> None:
    flags = {**flags, "train__steps": 60, "train__save_every": 1000, "train__evaluate_every": 1000}
    run = pretraining(**flags)
    running = run.start()
    running.wait_until(lambda: "step      7 " in running.stderr)
    running.signal(number)

    ended = running.wait()

    assert ended.exit_code == 5, ended.stderr
    step = run.steps()[-1]
    assert 7 <= step < 60
    assert f"stopped at step {step}" in ended.message()
    assert "--resume" in ended.message()
    assert run(resume=True).exit_code == 0
    assert run.hashes() == undisturbed(**flags).hashes()


def test_a_stopped_run_can_be_stopped_again_before_it_ends(pretraining: Make) -> None:
    run = pretraining(train__steps=2000, train__log_every=1)
    reached = []
    for _ in range(2):
        running = run.start(resume=True)
        running.wait_until(lambda running=running: "tokens/s" in running.stderr)
        running.signal(signal.SIGTERM)
        assert running.wait().exit_code == 5
        reached += run.steps()[-1:]

    assert reached[0] < reached[1]


def test_the_second_signal_ends_a_run_at_once(pretraining: Make) -> None:
    # One step takes minutes, so that only the second signal can be what ends it.
    run = pretraining(train__batch_size=20_000, train__micro_batch_tokens=128)
    running = run.start()
    running.wait_until(lambda: run.steps() == [0])
    time.sleep(0.3)
    running.signal(signal.SIGINT)
    time.sleep(0.3)
    assert not running.is_over()

    running.signal(signal.SIGINT)

    started = time.monotonic()
    ended = running.wait()
    assert time.monotonic() - started < 5
    assert ended.exit_code == 130
    assert "Traceback" not in ended.stderr
    assert run.steps() == [0]
    assert run.leftovers() == []


def test_a_signal_reaches_the_command_started_as_a_module(
    pretraining: Make, tmp_path: Path
) -> None:
    run = pretraining(train__steps=100_000)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src"),
    }
    with (tmp_path / "stderr").open("w+") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "unmask", *run.arguments()], stderr=stderr, env=environment
        )
        deadline = time.monotonic() + 60
        while "tokens/s" not in (tmp_path / "stderr").read_text():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=30) == 5
    said = (tmp_path / "stderr").read_text()
    assert said.count("unmask: ") == 1
    assert "Traceback" not in said
