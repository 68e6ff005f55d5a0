from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.train.config import OptimConfig, PretrainingConfig
from unmask.train.schedule import (
    DEFAULT_STEPS,
    batch_size_at,
    learning_rate_share,
    progress_of,
    sequence_lengths,
    stage_at,
    stage_starts,
)

SCHEDULES = ["linear", "cosine", "wsd"]
TINY = settings(deadline=None, derandomize=True)


def share(schedule: str, progress: float, warmup_rate: float = 0.1) -> float:
    config = OptimConfig.model_validate(
        {"schedule": schedule, "warmup_rate": warmup_rate, "decay_rate": 0.2}
    )
    return learning_rate_share(config, progress)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_rate_grows_from_zero_to_its_peak_and_ends_at_zero(schedule: str) -> None:
    assert share(schedule, 0.0) == 0.0
    assert share(schedule, 0.05) == pytest.approx(0.5)
    assert share(schedule, 0.1) == 1.0
    assert share(schedule, 1.0) == 0.0


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_without_warm_up_the_rate_begins_at_its_peak(schedule: str) -> None:
    assert share(schedule, 0.0, warmup_rate=0.0) == 1.0


@pytest.mark.parametrize(
    ("schedule", "progress", "expected"),
    [
        ("linear", 0.55, 0.5),
        ("linear", 0.91, 0.1),
        ("cosine", 0.55, 0.5),
        ("cosine", 0.1 + 0.9 / 3, 0.75),
        ("wsd", 0.5, 1.0),
        ("wsd", 0.8, 1.0),
        ("wsd", 0.9, 0.5),
        ("wsd", 0.95, 0.25),
    ],
)
def test_the_rate_after_the_warm_up(schedule: str, progress: float, expected: float) -> None:
    assert share(schedule, progress) == pytest.approx(expected)


@TINY
@given(st.sampled_from(SCHEDULES), st.floats(0.0, 1.0), st.floats(0.0, 0.8))
def test_the_rate_stays_between_zero_and_its_peak(
    schedule: str, progress: float, warmup_rate: float
) -> None:
    assert 0.0 <= share(schedule, progress, warmup_rate) <= 1.0


@TINY
@given(st.sampled_from(SCHEDULES), st.floats(0.1, 1.0), st.floats(0.1, 1.0))
def test_the_rate_never_rises_after_the_warm_up(schedule: str, one: float, two: float) -> None:
    assert share(schedule, min(one, two)) >= share(schedule, max(one, two))


def test_a_step_budget_counts_steps_and_a_minutes_budget_seconds() -> None:
    assert progress_of(PretrainingConfig(steps=8), step=2, seconds=1e9) == 0.25
    assert progress_of(PretrainingConfig(minutes=2.0), step=10**9, seconds=30.0) == 0.25
    assert progress_of(PretrainingConfig(), step=DEFAULT_STEPS // 2, seconds=0.0) == 0.5


def test_progress_ends_at_one() -> None:
    assert progress_of(PretrainingConfig(steps=8), step=9, seconds=0.0) == 1.0
    assert progress_of(PretrainingConfig(minutes=1.0), step=0, seconds=61.0) == 1.0


def test_the_batch_grows_linearly_to_its_size() -> None:
    config = PretrainingConfig(batch_size=32, initial_batch_size=8, batch_warmup_rate=0.5)

    sizes = [batch_size_at(config, progress) for progress in (0.0, 0.125, 0.25, 0.375, 0.5, 1.0)]

    assert sizes == [8, 14, 20, 26, 32, 32]
    assert batch_size_at(PretrainingConfig(batch_size=32), 0.0) == 32


def test_sequences_are_short_for_the_first_share_of_the_budget() -> None:
    config = PretrainingConfig(
        sequence_length=512, initial_sequence_length=128, sequence_warmup_rate=0.9
    )

    assert sequence_lengths(config) == (128, 512)
    assert [stage_at(stage_starts(config), progress) for progress in (0.0, 0.89, 0.9, 1.0)] == [
        0,
        0,
        1,
        1,
    ]


def test_without_warm_up_there_is_one_sequence_length() -> None:
    config = PretrainingConfig(sequence_length=256)

    assert sequence_lengths(config) == (256,)
    assert {
        stage_at(stage_starts(config), progress) for progress in (0.0, math.nextafter(1, 0), 1.0)
    } == {0}
