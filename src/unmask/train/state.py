"""Where a run stands: a few numbers that go into every checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from unmask.data.loader import Cursor
from unmask.train.distributed import World


@dataclass
class RunState:
    """All that changes from step to step, apart from tensors."""

    global_step: int = 0
    """Optimizer steps taken, skipped ones included."""
    stage: int = 0
    """Which sequence length of the run is in use."""
    cursor: Cursor = field(default_factory=Cursor)
    """Where the next step's samples begin, within the stage."""
    num_tokens: int = 0
    """Tokens trained on, specials included."""
    seconds: float = 0.0
    """Wall-clock time of training, earlier sessions included; evaluation and saving count too."""
    cpu_seconds: float = 0.0
    """Processor time of this process over the same work."""
    skipped_steps: int = 0
    """Steps whose loss or gradient was not finite, and which changed nothing."""
    skipped_in_a_row: int = 0
    """The same, since the last good step."""
    rollbacks: int = 0
    """Times the run went back to a checkpoint for too many skipped steps."""
    best_score: float | None = None
    """The best score of the evaluations so far, where weights are chosen by one."""
    best_step: int = 0
    """After how many steps it was reached."""
    evaluations_since_best: int = 0
    """How often it was not surpassed since."""

    def as_dict(self) -> dict[str, Any]:
        """For trainer_state.json; `global_step` is also Hugging Face's name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> RunState:
        """From trainer_state.json."""
        known = {name: stored[name] for name in cls.__dataclass_fields__}
        return cls(**{**known, "cursor": Cursor(**stored["cursor"])})


def random_state(world: World) -> dict[str, Tensor]:
    """The dropout generators of every process, (S,) uint8 each."""
    states = {"cpu": torch.get_rng_state()}
    if world.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(world.device)
    return {
        f"{name}.{rank}": part.cpu()
        for name, state in states.items()
        for rank, part in enumerate(world.gathered(state.to(world.device)))
    }


def restore_random_state(stored: dict[str, Tensor], world: World, seed: int) -> None:
    """Puts this process's generators back; a new process gets a seed of its own."""
    seed_dropout(world, seed)
    if (cpu := stored.get(f"cpu.{world.rank}")) is not None:
        torch.set_rng_state(cpu)
    if world.device.type == "cuda" and (cuda := stored.get(f"cuda.{world.rank}")) is not None:
        torch.cuda.set_rng_state(cuda, world.device)


def seed_dropout(world: World, seed: int) -> None:
    """Another stream of dropout in every process."""
    torch.manual_seed((seed + 7919 * world.rank) % 2**63)
