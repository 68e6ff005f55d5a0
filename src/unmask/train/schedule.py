"""How far a run has come, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable

from unmask.train.config import OptimConfig, PretrainingConfig, TrainConfig

DEFAULT_STEPS = 10_000


def progress_of(config: TrainConfig, step: int, seconds: float) -> float:
    """Share of the budget used, 0..1; both arguments count from the very start of the run."""
    if config.minutes is not None:
        return min(1.0, seconds / (60.0 * config.minutes))
    return min(1.0, step / (config.steps or DEFAULT_STEPS))


def _linear(config: OptimConfig, progress: float) -> float:
    return (1.0 - progress) / (1.0 - config.warmup_rate)


def _cosine(config: OptimConfig, progress: float) -> float:
    done = (progress - config.warmup_rate) / (1.0 - config.warmup_rate)
    return 0.5 * (1.0 + math.cos(math.pi * done))


def _warmup_stable_decay(config: OptimConfig, progress: float) -> float:
    return min(1.0, (1.0 - progress) / config.decay_rate)


SHAPES: dict[str, Callable[[OptimConfig, float], float]] = {
    "linear": _linear,
    "cosine": _cosine,
    "wsd": _warmup_stable_decay,
}


def learning_rate_share(config: OptimConfig, progress: float) -> float:
    """What the peak learning rates are multiplied by, 0..1, at `progress` 0..1 of the budget."""
    if progress < config.warmup_rate:
        return progress / config.warmup_rate
    return SHAPES[config.schedule](config, progress)


def batch_size_at(config: TrainConfig, progress: float) -> int:
    """Sequences of the next step."""
    if config.initial_batch_size is None or progress >= config.batch_warmup_rate:
        return config.batch_size
    grown = (config.batch_size - config.initial_batch_size) * progress / config.batch_warmup_rate
    return config.initial_batch_size + round(grown)


def sequence_lengths(config: PretrainingConfig) -> tuple[int, ...]:
    """The lengths a pretraining run goes through, in order."""
    if config.initial_sequence_length is None:
        return (config.sequence_length,)
    return (config.initial_sequence_length, config.sequence_length)


def stage_starts(config: PretrainingConfig) -> tuple[float, ...]:
    """From which share of the budget each of `sequence_lengths` is used."""
    return (0.0, config.sequence_warmup_rate)[: len(sequence_lengths(config))]


def stage_at(starts: tuple[float, ...], progress: float) -> int:
    """Which of the stages that begin at `starts` (ascending, the first 0) the next step is in."""
    return sum(start <= progress for start in starts) - 1
