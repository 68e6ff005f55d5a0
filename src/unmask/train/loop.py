"""The one training loop, for every task."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from unmask.batch import Batch
from unmask.data.loader import Cursor, Source, Transform, step_batches
from unmask.errors import DataError, Stopped
from unmask.nn.memory import keep_freed_memory
from unmask.nn.precision import uses_bf16
from unmask.tasks.task import Model, Task
from unmask.train import coupled
from unmask.train.config import OptimConfig, TrainConfig
from unmask.train.distributed import World
from unmask.train.gradients import clip
from unmask.train.optim import Optimizers
from unmask.train.schedule import batch_size_at, learning_rate_share, progress_of, stage_at
from unmask.train.selection import Selection, chosen, waited_enough
from unmask.train.session import Clock, listening
from unmask.train.state import RunState

logger = logging.getLogger(__name__)

PATIENCE = 10
"""Steps in a row without a finite gradient before the run goes back to its last checkpoint."""


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from and is measured on."""

    sources: tuple[Source, ...]
    """One for each stage of the run."""
    transform: Transform
    """Turns plain batches into examples: masks them, for a masked language model."""
    measure: Callable[[Model], dict[str, float]]
    """Scores on what is never trained on."""
    stage_starts: tuple[float, ...] = (0.0,)
    """From which share of the budget each source is used."""
    selection: Selection | None = None
    """How the best weights are told and kept; None where the last ones are the result."""


class Keeper(Protocol):
    """Stores a run and gives it back; the loop knows nothing of files."""

    def save(self, state: RunState) -> None:
        """Writes a checkpoint; called in every process."""

    def keep_best(self, state: RunState, /) -> None:
        """Keeps the present weights as the best so far; called in every process."""

    def roll_back(self) -> RunState:
        """Loads the newest checkpoint into model and optimizers and returns its state."""


class Log(Protocol):
    """Hears how a run goes."""

    def step(self, state: RunState, progress: float, numbers: dict[str, float]) -> None:
        """After every optimizer step; `numbers` is empty where it was skipped."""

    def evaluation(self, state: RunState, scores: dict[str, float]) -> None:
        """After every evaluation."""

    def forget_after(self, state: RunState) -> None:
        """Where a run goes on from an earlier state: what followed it is told anew."""


def train(
    model: Model,
    task: Task,
    data: TrainingData,
    optimizers: Optimizers,
    state: RunState,
    train_config: TrainConfig,
    optim_config: OptimConfig,
    world: World,
    keeper: Keeper,
    log: Log,
) -> dict[str, float]:
    """Trains until the budget is used and returns the last held-out scores.

    The gradient of a step is that of the sum of all terms, each divided by its count over every
    micro-batch and process, so that it depends on neither.

    Raises:
        Stopped: A signal asked for it; the state is saved.
        DataError: The loss stays not finite after a roll-back.
    """
    keep_freed_memory()
    of_some_steps = model.of_some_steps()
    wrapped = world.wrapped(model, of_some_steps)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    clock = Clock(state)
    scores: dict[str, float] = {}
    is_due = False
    is_over = waited_enough(state, data.selection)
    model.train()
    with listening() as asked_to_stop:
        if state.global_step == 0:
            keeper.save(state)  # proves before any work that the folder can be written
        while (
            progress := progress_of(train_config, state.global_step, state.seconds)
        ) < 1.0 and not is_over:
            # --- this process's share of the step's sequences; a stage once left stays left
            stage = max(state.stage, stage_at(data.stage_starts, progress))
            if stage != state.stage:
                state.stage, state.cursor = stage, Cursor()
            batches, state.cursor = step_batches(
                data.sources[stage],
                state.cursor,
                batch_size=batch_size_at(train_config, progress),
                micro_batch_tokens=train_config.micro_batch_tokens,
                seed=train_config.seed,
                transform=data.transform,
                progress=progress,
                rank=world.rank,
                world_size=world.size,
            )
            # --- counts before losses
            counts, (num_tokens, seconds, stops) = _agree(
                world,
                [task.counts(batch) for batch in batches],
                [sum(b.num_tokens for b in batches), clock.seconds(), float(asked_to_stop())],
            )
            # --- gradient
            if isinstance(task, coupled.Coupling) and task.couples(batches[0]):
                is_half = uses_bf16(train_config.precision, world.device)
                losses = coupled.backward(wrapped, task, batches, world, is_half=is_half)
            else:
                losses = _backward(wrapped, task, batches, counts, train_config, world)
            world.average(of_some_steps)
            norm = clip(parameters, optim_config.clip_norm)
            # --- step, unless the gradient is no number
            state.global_step += 1
            state.num_tokens += int(num_tokens)
            finite = bool(torch.isfinite(norm))
            share = learning_rate_share(optim_config, progress)
            if finite:
                optimizers.step(share)
            optimizers.zero_grad()
            state.seconds, state.cpu_seconds = seconds / world.size, clock.cpu_seconds()
            # --- tell, and look after what was skipped
            totals = world.summed([losses[name] for name in counts])
            numbers = {f"{name}_loss": total for name, total in zip(counts, totals, strict=True)}
            numbers |= {"gradient_norm": float(norm), "learning_rate_share": share}
            _count_skipped(state, finite=finite)
            log.step(state, progress, numbers if finite else {})
            if state.skipped_in_a_row >= PATIENCE:
                state = _past_the_fault(state, keeper)
                log.forget_after(state)
                clock, scores = Clock(state), {}
                continue
            # --- look up, save, stop; what a checkpoint follows is not done again after a kill
            is_last = progress_of(train_config, state.global_step, state.seconds) >= 1.0
            if is_last or state.global_step % train_config.evaluate_every == 0:
                scores = world.first(lambda: data.measure(model))
                log.evaluation(state, scores)
                is_over = chosen(state, scores, data.selection, keeper.keep_best)
                is_last = is_last or is_over
            is_due = is_due or state.global_step % train_config.save_every == 0
            # A checkpoint made amid faults would be no way out of them, so it waits.
            if stops or is_last or (is_due and finite):
                keeper.save(state)
                is_due = False
            if stops:
                raise Stopped(
                    f"stopped at step {state.global_step} as asked; everything is saved, "
                    "go on with --resume"
                )
    return scores or world.first(lambda: data.measure(model))


def _agree(
    world: World, counts: list[dict[str, float]], others: list[float]
) -> tuple[dict[str, float], list[float]]:
    """Each term's count and the other numbers, summed over micro-batches and processes."""
    names = list(counts[0])
    mine = [sum(part[name] for part in counts) for name in names]
    summed = world.summed(mine + others)
    return dict(zip(names, summed, strict=False)), summed[len(names) :]


def _backward(
    model: nn.Module,
    task: Task,
    batches: list[Batch],
    counts: dict[str, float],
    config: TrainConfig,
    world: World,
) -> dict[str, float]:
    """Adds up this process's gradient; returns its share of each term's mean loss, in nats."""
    losses = dict.fromkeys(counts, 0.0)
    is_half = uses_bf16(config.precision, world.device)
    for index, batch in enumerate(batches):
        batch = batch.to(world.device)
        with world.accumulating(model, last=index == len(batches) - 1):
            with torch.autocast(world.device.type, torch.bfloat16, enabled=is_half):
                outputs = model(batch, task)
            loss: Tensor | float = 0.0
            for term in task.loss(outputs, batch):
                share = term.total / max(1.0, counts[term.name])
                losses[term.name] += float(share.detach())
                loss = loss + term.weight * share
            # DistributedDataParallel averages, so the mean is undone here.
            assert isinstance(loss, Tensor)
            (loss * world.size).backward()  # type: ignore[no-untyped-call]
    return losses


def _count_skipped(state: RunState, *, finite: bool) -> None:
    state.skipped_in_a_row = 0 if finite else state.skipped_in_a_row + 1
    if not finite:
        state.skipped_steps += 1
        logger.warning(
            "step %d: loss or gradient is not finite; the step was skipped (%d in a row)",
            state.global_step,
            state.skipped_in_a_row,
        )


def _past_the_fault(state: RunState, keeper: Keeper) -> RunState:
    """The last checkpoint's weights, but the data after what broke them."""
    if state.rollbacks:
        raise DataError(
            f"step {state.global_step}: {PATIENCE} steps in a row were not finite, again after "
            "going back to a checkpoint. Lower optim.learning_rate, train in fp32, or look at "
            "the text with `unmask doctor`."
        )
    earlier = keeper.roll_back()
    logger.warning(
        "went back to step %d and past the data up to step %d",
        earlier.global_step,
        state.global_step,
    )
    earlier.stage, earlier.cursor = state.stage, state.cursor
    earlier.skipped_steps, earlier.rollbacks = state.skipped_steps, state.rollbacks + 1
    earlier.skipped_in_a_row = 0
    # The best weights are kept apart from checkpoints, so what is known of them stays true.
    earlier.best_score, earlier.best_step = state.best_score, state.best_step
    earlier.evaluations_since_best = state.evaluations_since_best
    earlier.seconds, earlier.cpu_seconds = state.seconds, state.cpu_seconds
    return earlier
