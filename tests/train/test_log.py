from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unmask.errors import MachineError
from unmask.train.config import PretrainingConfig
from unmask.train.log import METRICS_FILE, RunLog, SilentLog, read_metrics, shown
from unmask.train.state import RunState

PROGRESS = re.compile(r"step {6}2  mlm_loss 5\.500 +[\d,]+ tokens/s +50\.0 %  (\d+:)?\d+:\d\d left")


@pytest.fixture
def make_log(tmp_path: Path) -> Callable[..., tuple[RunLog, list[str]]]:
    def make(**settings: Any) -> tuple[RunLog, list[str]]:
        said: list[str] = []
        return RunLog(tmp_path, PretrainingConfig(**settings), said.append), said

    return make


def state(step: int, **numbers: Any) -> RunState:
    return RunState(global_step=step, num_tokens=100 * step, seconds=2.0 * step, **numbers)


def test_lines_tell_the_mean_since_the_last_line(
    make_log: Callable[..., tuple[RunLog, list[str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = iter([100.0, 104.0, 105.0])  # at the beginning, and at each of the two lines
    monkeypatch.setattr("unmask.train.log.time.monotonic", lambda: next(seconds))
    log, said = make_log(log_every=2)

    for step, loss in enumerate([6.0, 5.0, 4.0, 3.0], start=1):
        log.step(state(step), step / 4, {"mlm_loss": loss, "gradient_norm": 1.0})

    lines = read_metrics(tmp_path / METRICS_FILE)
    assert [(line["step"], line["mlm_loss"]) for line in lines] == [(2, 5.5), (4, 3.5)]
    assert lines[0]["tokens"] == 200
    assert lines[0]["seconds"] == 4.0
    assert lines[0]["progress"] == 0.5
    assert [line["tokens_per_second"] for line in lines] == [50.0, 200.0]
    assert len(said) == 2


def test_the_line_for_people_tells_loss_speed_share_and_time_left(
    make_log: Callable[..., tuple[RunLog, list[str]]],
) -> None:
    log, said = make_log(log_every=2)

    log.step(state(2), 0.5, {"mlm_loss": 5.5, "gradient_norm": 1.0})

    assert PROGRESS.fullmatch(said[0]), said[0]
    assert said[0].endswith("0:04 left")


def test_long_runs_tell_hours(make_log: Callable[..., tuple[RunLog, list[str]]]) -> None:
    log, said = make_log(log_every=1)

    log.step(RunState(global_step=1, num_tokens=10, seconds=3600.0), 0.25, {"mlm_loss": 1.0})

    assert said[0].endswith("3:00:00 left")


def test_skipped_steps_count_in_no_mean(
    make_log: Callable[..., tuple[RunLog, list[str]]], tmp_path: Path
) -> None:
    log, _ = make_log(log_every=3)

    log.step(state(1), 0.1, {"mlm_loss": 6.0})
    log.step(state(2, skipped_steps=1), 0.2, {})
    log.step(state(3, skipped_steps=1), 0.3, {"mlm_loss": 4.0})
    for step in (4, 5, 6):
        log.step(state(step, skipped_steps=step - 2), 0.4, {})

    first, second = read_metrics(tmp_path / METRICS_FILE)
    assert (first["mlm_loss"], first["skipped_steps"]) == (5.0, 1)
    assert "mlm_loss" not in second
    assert second["skipped_steps"] == 4


def test_held_out_scores_have_names_of_their_own(
    make_log: Callable[..., tuple[RunLog, list[str]]], tmp_path: Path
) -> None:
    log, said = make_log()

    log.evaluation(state(5), {"mlm_loss": 2.0, "mlm_accuracy": 0.25})

    (line,) = read_metrics(tmp_path / METRICS_FILE)
    assert (line["validation_mlm_loss"], line["validation_mlm_accuracy"]) == (2.0, 0.25)
    assert said == ["step      5  held out: mlm_loss 2.000  mlm_accuracy 0.250"]


def test_a_resumed_run_forgets_the_steps_it_takes_again(
    make_log: Callable[..., tuple[RunLog, list[str]]], tmp_path: Path
) -> None:
    log, _ = make_log(log_every=1)
    for step in (1, 2, 3, 4):
        log.step(state(step), step / 8, {"mlm_loss": float(step)})

    again, _ = make_log(log_every=1)
    again.forget_after(state(2))
    again.step(state(3), 3 / 8, {"mlm_loss": 9.0})

    losses = [line["mlm_loss"] for line in read_metrics(tmp_path / METRICS_FILE)]
    assert losses == [1.0, 2.0, 9.0]
    assert [path.name for path in tmp_path.iterdir()] == [METRICS_FILE]


def test_a_run_without_metrics_has_nothing_to_forget(
    make_log: Callable[..., tuple[RunLog, list[str]]], tmp_path: Path
) -> None:
    make_log()[0].forget_after(state(0))

    assert list(tmp_path.iterdir()) == []


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / METRICS_FILE
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3, "mlm', encoding="utf-8")

    assert read_metrics(path) == [{"step": 1}, {"step": 2}]


def test_every_line_is_json_that_other_tools_read(
    make_log: Callable[..., tuple[RunLog, list[str]]], tmp_path: Path
) -> None:
    log, said = make_log(log_every=1)

    log.step(state(1), 0.5, {"mlm_loss": 1 / 3})
    log.evaluation(state(1), {"mlm_loss": math.nan, "mlm_pseudo_perplexity": math.inf})

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is not JSON")

    text = (tmp_path / METRICS_FILE).read_text(encoding="utf-8")
    lines = [json.loads(line, parse_constant=refuse) for line in text.splitlines()]
    assert lines[0]["mlm_loss"] == 0.333333
    assert "held out: mlm_loss nan" in said[1]


def test_tensorboard_gets_every_number_while_the_run_goes_on(
    make_log: Callable[..., tuple[RunLog, list[str]]], tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log, _ = make_log(log_every=1, tensorboard=True)
    log.step(state(3), 0.5, {"mlm_loss": 4.5})
    log.evaluation(state(3), {"mlm_loss": 4.25})

    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    losses = [events.Scalars(name)[0] for name in ("mlm_loss", "validation_mlm_loss")]
    assert [(event.step, event.value) for event in losses] == [(3, 4.5), (3, 4.25)]


def test_a_missing_tensorboard_is_named(
    make_log: Callable[..., tuple[RunLog, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)

    with pytest.raises(MachineError, match=r"pip install 'unmask\[tensorboard\]'"):
        make_log(tensorboard=True)


def test_the_other_processes_say_and_write_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = SilentLog()

    log.step(state(1), 0.5, {"mlm_loss": 1.0})
    log.evaluation(state(1), {"mlm_loss": 1.0})

    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("figure", "expected"), [(3.14159, "3.142"), (999_999.0, "999999.000"), (1e304, "1.000e+304")]
)
def test_huge_figures_are_told_by_their_power_of_ten(figure: float, expected: str) -> None:
    assert shown(figure, 3) == expected


def test_the_score_by_which_weights_are_chosen_is_said_first(tmp_path: Path) -> None:
    said: list[str] = []
    log = RunLog(tmp_path, PretrainingConfig(), said.append, "f1")

    log.evaluation(state(1), {**{f"other_{i}": 0.1 for i in range(9)}, "f1": 0.5})

    (line,) = said
    assert "held out: f1 0.500  other_0 0.100" in line
