"""Both sides of equivalence.py: our training loop, and a plain one around transformers' model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peer_tasks
import torch
from transformers import AutoTokenizer, get_linear_schedule_with_warmup

from unmask.checkpoint import native
from unmask.data.loader import Cursor, take
from unmask.data.windows import WindowSource
from unmask.train.config import FinetuningConfig, FinetuningOptimConfig
from unmask.train.distributed import World
from unmask.train.loop import TrainingData, train
from unmask.train.optim import Optimizers
from unmask.train.state import RunState

RATE, WARMUP, DECAY, CLIP, EPSILON = 5e-5, 0.1, 0.01, 1.0, 1e-6
SEED = 0


@dataclass(frozen=True)
class Case:
    """One kind of task on one data set."""

    task: str
    data: str
    settings: dict[str, Any]
    reading: dict[str, Any]


class Losses:
    """A log that keeps the loss of every step."""

    def __init__(self, weights: dict[str, float]) -> None:
        self.weights = weights
        self.found: list[float] = []

    def step(self, _state: RunState, _progress: float, numbers: dict[str, float]) -> None:
        self.found.append(sum(w * numbers[f"{name}_loss"] for name, w in self.weights.items()))

    def evaluation(self, _state: RunState, _scores: dict[str, float]) -> None:
        return None

    def forget_after(self, _state: RunState) -> None:
        return None


class NothingKept:
    """A keeper without a folder; a run of 20 steps needs none."""

    def save(self, _state: RunState) -> None:
        return None

    def keep_best(self, _state: RunState) -> None:
        return None

    def roll_back(self) -> RunState:
        raise RuntimeError("the loss was not finite")


def ours(
    case: Case, folder: Path, task: Any, examples: Sequence[Any], steps: int, batch_size: int
) -> tuple[list[float], WindowSource]:
    """The losses of the real loop, and the samples that it drew from."""
    bundle = native.load(folder)
    longest, tokenizer = bundle.max_length, bundle.require_tokenizer()
    windows = [w for parts in task.encode(examples, tokenizer, longest) for w in parts]
    source = WindowSource(windows)
    weights = {"start": 0.5, "end": 0.5} if case.task == "qa" else {}
    optim = FinetuningOptimConfig(
        learning_rate=RATE, warmup_rate=WARMUP, weight_decay=DECAY, clip_norm=CLIP, epsilon=EPSILON
    )
    config = FinetuningConfig(steps=steps, batch_size=batch_size, seed=SEED, evaluate_every=steps)
    first = source.batch(*take(source, Cursor(), 1, SEED)[:2])
    log = Losses(weights or dict.fromkeys(task.counts(first), 1.0))
    train(
        bundle.model.train(),
        task,
        TrainingData((source,), lambda batch, *_: batch, lambda _: {}),
        Optimizers(bundle.model, optim),
        RunState(),
        config,
        optim,
        World(0, 1, torch.device("cpu")),
        NothingKept(),
        log,
    )
    return log.found, source


def theirs(
    case: Case, built: Any, found: peer_tasks.Features, order: list[int], steps: int
) -> list[float]:
    """The losses of a plain loop over the features in this order, padded batch by batch."""
    collate = peer_tasks.COLLATORS[case.task](AutoTokenizer.from_pretrained(built.name_or_path))
    groups = peer_tasks.parameter_groups(built, DECAY)
    optimizer = torch.optim.AdamW(groups, lr=RATE, eps=EPSILON, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, round(WARMUP * steps), steps)
    losses = []
    size = len(order) // steps
    part = 1 if case.task == "qa" else size
    for step in range(steps):
        chosen = order[step * size : (step + 1) * size]
        total = 0.0
        for first in range(0, size, part):
            batch = collate([found[i] for i in chosen[first : first + part]])
            loss = built(**batch).loss * (part / size)
            loss.backward()
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(built.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(total)
    return losses


@torch.no_grad()
def padded_loss(case: Case, built: Any, found: peer_tasks.Features, order: list[int]) -> float:
    """Of one padded batch."""
    collate = peer_tasks.COLLATORS[case.task](AutoTokenizer.from_pretrained(built.name_or_path))
    return float(built(**collate([found[i] for i in order])).loss)
