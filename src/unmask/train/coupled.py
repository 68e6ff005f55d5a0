"""The gradient of a loss that couples the examples of a batch, whatever the micro-batches.

In-batch negatives make every example's loss depend on all others, so that adding up micro-batches
would give another loss. The vectors of the whole batch are computed first, without keeping what a
gradient needs; the loss and its gradient follow from them; then each micro-batch is computed once
more, under the same random state, and handed its vectors' gradient (GradCache, Gao et al. 2021,
arXiv 2101.06983). Memory is that of a micro-batch, and the gradient that of the whole batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from unmask.batch import Batch
from unmask.tasks.task import Term
from unmask.train.distributed import World


@runtime_checkable
class Coupling(Protocol):
    """A task with losses that want all vectors of a batch at once."""

    vectors: str
    """The output that holds them, (B, E)."""

    def couples(self, batch: Batch) -> bool:
        """Whether the loss of this batch is such a one."""

    def whole_loss(self, vectors: Tensor, labels: Mapping[str, Tensor], batch: Batch) -> list[Term]:
        """The terms of a whole batch, each its value already, to be divided by nothing.

        `vectors` (B, E) and `labels` are of all micro-batches and processes, in the order of the
        samples; `batch` is one of them, for what all have in common.
        """


def backward(
    model: nn.Module,
    task: Any,
    batches: Sequence[Batch],
    world: World,
    *,
    is_half: bool,
) -> dict[str, float]:
    """Adds up this process's gradient; returns its share of each term's value."""
    batches = [batch.to(world.device) for batch in batches]
    is_whole = len(batches) == 1
    states: list[_Random] = []
    parts: list[Tensor] = []
    for batch in batches:
        states.append(_Random(world.device))
        with torch.set_grad_enabled(is_whole):
            parts.append(_vectors(model, task, batch, is_half=is_half))
    sizes = [len(part) for part in parts]
    own = torch.cat([part.detach() for part in parts])  # (B, E)
    size = batches[0].group_size
    whole = _interleaved(own, size, world).requires_grad_()
    labels = {
        name: _interleaved(
            torch.cat([batch.labels[name] for batch in batches]),
            size if sum(sizes) == sum(len(batch.labels[name]) for batch in batches) else 1,
            world,
        )
        for name in batches[0].labels
    }
    terms = task.whole_loss(whole, labels, batches[0])
    torch.stack([term.weight * term.total for term in terms]).sum().backward()  # type: ignore[no-untyped-call]
    assert whole.grad is not None
    gradient = _taken(whole.grad, size, world) * world.size  # which DDP's average divides by
    for index, (batch, part) in enumerate(zip(batches, torch.split(gradient, sizes), strict=True)):
        with world.accumulating(model, last=index == len(batches) - 1):
            vectors = parts[index]
            if not is_whole:
                states[index].restore()
                vectors = _vectors(model, task, batch, is_half=is_half)
            vectors.backward(part)  # type: ignore[no-untyped-call]
    return {term.name: float(term.total.detach()) / world.size for term in terms}


def _vectors(model: nn.Module, task: Any, batch: Batch, *, is_half: bool) -> Tensor:
    """(B, E), in float32 at least."""
    with torch.autocast(batch.input_ids.device.type, torch.bfloat16, enabled=is_half):
        vectors: Tensor = model(batch, task)[task.vectors]
    return vectors.to(torch.promote_types(vectors.dtype, torch.float32))


def _interleaved(own: Tensor, size: int, world: World) -> Tensor:
    """The rows of all processes, `size` a sample, in the order of the samples.

    Sample number i of a step lies in process i modulo their number, which may so have one sample
    more than another.
    """
    if world.size == 1:
        return own
    samples = own.reshape(-1, size, *own.shape[1:])  # (S, K, ...)
    counts = [int(count) for count in world.gathered(torch.tensor([len(samples)]).to(own.device))]
    most = max(counts)
    filler = samples.new_zeros(most - len(samples), *samples.shape[1:])
    everyone = torch.stack(world.gathered(torch.cat((samples, filler))), dim=1)  # (most, W, K, ...)
    return everyone.flatten(0, 1)[: sum(counts)].flatten(0, 1)


def _taken(whole: Tensor, size: int, world: World) -> Tensor:
    """This process's rows of all, see `_interleaved`."""
    samples = whole.reshape(-1, size, *whole.shape[1:])
    own: Tensor = samples[world.rank :: world.size].flatten(0, 1)
    return own


class _Random:
    """The state of the generators that dropout draws from, to draw the same again."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._cpu = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    def restore(self) -> None:
        """Goes back to it."""
        torch.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda, self._device)
