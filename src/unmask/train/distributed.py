"""Several processes started by torchrun, or one without any of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from unmask.errors import MachineError, UnmaskError

_Result = TypeVar("_Result")
_PATIENCE = timedelta(hours=6)
"""The others wait that long while the first process prepares a corpus or checks its hashes."""


@dataclass(frozen=True)
class World:
    """Which process this is, and of how many."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    def summed(self, numbers: list[float]) -> list[float]:
        """The numbers added up over all processes, exact for whole numbers below 2^53."""
        if self.size == 1:
            return numbers
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        summed: list[float] = total.tolist()
        return summed

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        """The same-shaped tensor of every process, in order of rank."""
        if self.size == 1:
            return [tensor]
        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(parts, tensor)
        return parts

    def barrier(self) -> None:
        """Waits until every process is here."""
        if self.size > 1:
            dist.barrier()

    def first(self, work: Callable[[], _Result]) -> _Result:
        """What `work` gives in the first process, to all, who wait; a mistake in it stops all.

        Raises:
            UnmaskError: What `work` raised, in every process.
        """
        if self.size == 1:
            return work()
        outcome: list[Any] = [None, None]
        if self.is_first:
            try:
                outcome[0] = work()
            except UnmaskError as error:
                outcome[1] = error
        dist.broadcast_object_list(outcome, device=self.device)
        if outcome[1] is not None:
            raise outcome[1]
        result: _Result = outcome[0]
        return result

    def wrapped(self, model: nn.Module, apart: Sequence[nn.Parameter] = ()) -> nn.Module:
        """The model with gradients averaged over the processes, but for those that are `apart`.

        DistributedDataParallel waits in every step for the gradient of each parameter that asked
        for one when it was made. Those of which a step may have none are left to `average`.
        """
        if self.size == 1:
            return model
        trained = [parameter for parameter in apart if parameter.requires_grad]
        for parameter in trained:
            parameter.requires_grad_(False)
        try:
            return DistributedDataParallel(model)
        finally:
            for parameter in trained:
                parameter.requires_grad_(True)

    def average(self, parameters: Sequence[nn.Parameter]) -> None:
        """Averages the gradients of these over the processes, of which all have the same ones.

        What has none keeps none, so that the optimizer passes it by as it does in one process.
        """
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                parameter.grad /= self.size

    def accumulating(self, model: nn.Module, *, last: bool) -> Any:
        """Holds back the exchange of gradients until the last micro-batch of a step."""
        if isinstance(model, DistributedDataParallel) and not last:
            return model.no_sync()
        return nullcontext()


def is_first_process() -> bool:
    """Whether this is the only process, or torchrun's first: the one that prints results."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def world(device: str) -> Iterator[World]:
    """Joins the processes that torchrun started, and leaves them at the end.

    `device` is auto, cpu or cuda. A caller that wants several runs in one torchrun joins the
    processes itself, before: torchrun's store lets a process join only once.

    Raises:
        MachineError: A GPU was asked for and none is there.
    """
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise MachineError("train.device is cuda, but torch sees no GPU here: use cpu or auto")
    on_gpu = has_gpu and device != "cpu"
    size = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = torch.device("cuda", local) if on_gpu else torch.device("cpu")
    if size == 1:
        yield World(0, 1, chosen)
        return
    joins = not dist.is_initialized()
    if joins:
        if on_gpu:
            torch.cuda.set_device(chosen)
        dist.init_process_group("nccl" if on_gpu else "gloo", timeout=_PATIENCE)
    try:
        yield World(rank, size, chosen)
    finally:
        if joins:
            dist.destroy_process_group()
