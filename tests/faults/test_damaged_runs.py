"""Broken checkpoints, folders that cannot be written, and two runs in one of them."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unmask.cli.application import main

Make = Callable[..., Any]


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (flip, "optimizer.safetensors"),
        (truncate, "model.safetensors"),
        (Path.unlink, "trainer_state.json"),
        (truncate, "MANIFEST.json"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(
    damage: Callable[[Path], None], name: str, undisturbed: Make, pretraining: Make
) -> None:
    run = pretraining(train__steps=12)
    assert run(die=("open", "metrics.jsonl", 11)).exit_code == -signal.SIGKILL
    assert run.steps() == [4, 8]
    damage(run.checkpoint() / name)

    ended = run(resume=True)

    assert ended.exit_code == 0, ended.stderr
    warnings = [line for line in ended.stderr.splitlines() if line.startswith("WARNING: ")]
    assert len(warnings) == 1, ended.stderr
    assert f"checkpoint-8/{name}" in warnings[0]
    assert "Passing over" in warnings[0]
    assert "step      5 " in ended.stderr
    assert "step      4 " not in ended.stderr
    assert run.hashes() == undisturbed(train__steps=12).hashes()
    assert (run.folder / "damaged-checkpoint-8").is_dir()


def test_a_damaged_checkpoint_pushes_no_whole_one_out(pretraining: Make) -> None:
    run = pretraining(train__steps=12)
    assert run(die=("open", "metrics.jsonl", 11)).exit_code == -signal.SIGKILL
    flip(run.checkpoint() / "optimizer.safetensors")
    resumed = {"resume": True, "train__save_every": 1, "train__keep_checkpoints": 1}
    assert run(**resumed, die=("open", "metrics.jsonl", 3)).exit_code == -signal.SIGKILL

    ended = run(**resumed)

    assert ended.exit_code == 0, ended.stderr
    assert "step      5 " not in ended.stderr  # the first resumed process had saved it


def test_a_run_without_a_whole_checkpoint_is_not_begun_anew(pretraining: Make) -> None:
    run = pretraining(train__steps=4)
    assert run().exit_code == 0
    for step in run.steps():
        flip(run.folder / f"checkpoint-{step}" / "model.safetensors")

    ended = run(resume=True)

    assert ended.exit_code == 3
    assert "checkpoint" in ended.message()


@pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")
def test_a_second_run_in_the_folder_of_a_running_one_is_refused(
    pretraining: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = pretraining(train__steps=100_000)
    running = run.start()
    running.wait_until(lambda: run.steps() != [])
    monkeypatch.setattr("sys.argv", ["unmask", *run.arguments(resume=True)])

    with pytest.raises(SystemExit) as ended:
        main()

    running.signal(signal.SIGKILL)
    assert running.wait().exit_code == -signal.SIGKILL
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert message.count("unmask: ") == 1
    assert f"process {running.pid}" in message


def test_the_lock_of_a_killed_run_locks_nobody_out(pretraining: Make) -> None:
    run = pretraining(train__steps=4)
    assert run(die=("open", "metrics.jsonl", 2)).exit_code == -signal.SIGKILL
    assert (run.folder / "run.lock").exists()

    assert run(resume=True).exit_code == 0


def test_a_full_disk_while_saving_leaves_the_old_checkpoint(
    pretraining: Make, undisturbed: Make
) -> None:
    run = pretraining(train__steps=12)
    running = run.start()
    running.wait_until(lambda: run.steps() != [])
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))

    ended = running.wait()

    assert ended.exit_code == 4, ended.stderr
    assert "no room" in ended.message()
    assert run.leftovers() == []
    assert run.steps()[-1] < 12
    assert run(resume=True).exit_code == 0
    assert run.hashes() == undisturbed(train__steps=12).hashes()


def test_a_full_disk_while_logging_is_told_in_one_message(
    pretraining: Make, undisturbed: Make
) -> None:
    flags = {"train__steps": 60, "train__save_every": 1000, "train__evaluate_every": 1000}
    run = pretraining(**flags)
    running = run.start()
    log = run.folder / "metrics.jsonl"
    running.wait_until(lambda: log.exists() and log.stat().st_size > 2000)
    room = log.stat().st_size + 100  # more than it has said on stderr, which is a file here too
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (room, room))

    ended = running.wait()

    assert ended.exit_code == 4, ended.stderr
    assert "metrics.jsonl" in ended.message()
    assert run(resume=True).exit_code == 0
    assert run.hashes() == undisturbed(**flags).hashes()


@pytest.mark.parametrize("below", ["", "run"], ids=["itself", "above"])
def test_an_output_that_cannot_be_a_folder_is_refused_before_the_first_step(
    below: str, pretraining: Make, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")

    ended = pretraining(str(Path("file", below)))()

    assert ended.exit_code == 4
    assert "file" in ended.message()
    assert "tokens/s" not in ended.stderr
    assert (tmp_path / "file").read_text() == "in the way"
