"""Which samples make a step: pure functions of a cursor, the same for any number of processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from unmask.batch import Batch
from unmask.data.randomness import Permutation
from unmask.errors import DataError, UsageError

Transform = Callable[[Batch, NDArray[np.int64], float], Batch]
"""Takes a batch, the epoch of each of its sequences, (B,) int64, and how far the run has come,
0..1; pure per sequence."""


class Source(Protocol):
    """A data set of numbered samples, each a pure function of its number and the epoch."""

    def __len__(self) -> int:
        """Samples of one epoch."""

    def batch(self, sample_ids: NDArray[np.int64], epochs: NDArray[np.int64], /) -> Batch:
        """Packs samples (S,), each as it looks in its epoch (S,), in the order given.

        A sample is one sequence, or as many as the batch's `group_size` says.
        """


@runtime_checkable
class Ordered(Protocol):
    """A source whose samples are not to be shuffled by the loader."""

    def ordered(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """(S,) the samples of an epoch in their order, as many as the source has."""


@dataclass(frozen=True)
class Cursor:
    """Where a run stands in its data; all that a resumed run needs to go on."""

    epoch: int = 0
    """Epochs finished."""
    sample: int = 0
    """Samples of the current epoch already taken."""


def take(
    source: Source, cursor: Cursor, num_samples: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Cursor]:
    """Draws the next samples of the shuffled epochs and says where that leaves the cursor.

    Every epoch is a permutation of all samples by (seed, epoch), or as an `Ordered` source says; a
    draw may run over the end of one epoch, or of several, into the next.

    Returns:
        Sample ids (num_samples,) int64, the epoch of each (num_samples,) int64, the new cursor.

    Raises:
        DataError: The source has no samples.
    """
    size = len(source)
    if size == 0:
        raise DataError("the data set holds no sample: expected at least one, add text")
    ordinals = cursor.sample + np.arange(num_samples, dtype=np.int64)
    epochs = cursor.epoch + ordinals // size
    positions = ordinals % size
    sample_ids = np.empty(num_samples, dtype=np.int64)
    for epoch in np.unique(epochs).tolist():
        now = epochs == epoch
        if isinstance(source, Ordered):
            sample_ids[now] = source.ordered(seed, epoch)[positions[now]]
        else:
            sample_ids[now] = Permutation(size, seed, epoch)(positions[now])
    wraps, sample = divmod(cursor.sample + num_samples, size)
    return sample_ids, epochs, Cursor(cursor.epoch + wraps, sample)


def step_batches(
    source: Source,
    cursor: Cursor,
    *,
    batch_size: int,
    micro_batch_tokens: int,
    seed: int,
    transform: Transform,
    progress: float = 0.0,
    rank: int = 0,
    world_size: int = 1,
) -> tuple[list[Batch], Cursor]:
    """Makes this process's micro-batches of one optimizer step, and the next step's cursor.

    `progress` is the share of the run's budget that is used. `batch_size` counts samples per
    optimizer step over all processes, which are sequences or, of some sources, groups of them;
    process `rank` takes every `world_size`-th. The cursor is the same in all processes.

    Raises:
        UsageError: There are fewer samples in a step than processes.
        DataError: The source has no samples.
    """
    if batch_size < world_size:
        raise UsageError(
            f"batch_size is {batch_size} for {world_size} processes: each needs at least one "
            f"sequence per optimizer step, so set batch_size to {world_size} or more"
        )
    sample_ids, epochs, after = take(source, cursor, batch_size, seed)
    mine = slice(rank, None, world_size)
    batch = source.batch(sample_ids[mine], epochs[mine])
    batch = transform(batch, np.repeat(epochs[mine], batch.group_size), progress)
    return split(batch, micro_batch_tokens), after


def split(batch: Batch, micro_batch_tokens: int) -> list[Batch]:
    """Cuts a batch into runs of whole groups of sequences, of at most `micro_batch_tokens` tokens.

    A group longer than that is a micro-batch of its own. The tensors are views.
    """
    micro_batches: list[Batch] = []
    first, tokens = 0, 0
    for index in range(0, len(batch.lengths), batch.group_size):
        length = sum(batch.lengths[index : index + batch.group_size])
        if index > first and tokens + length > micro_batch_tokens:
            micro_batches.append(_sequences(batch, first, index))
            first, tokens = index, 0
        tokens += length
    if batch.lengths:
        micro_batches.append(_sequences(batch, first, len(batch.lengths)))
    return micro_batches


def _sequences(batch: Batch, first: int, last: int) -> Batch:
    """The sequences first..last-1 of a batch, which are whole groups."""
    start = sum(batch.lengths[:first])
    tokens = slice(start, start + sum(batch.lengths[first:last]))
    sequences = slice(first, last)
    groups = slice(first // batch.group_size, last // batch.group_size)
    # A label is per token, per sequence or per group. Two of these sizes are equal only if every
    # sequence is one token long, or every group one sequence, and then the slices are equal too.
    by_size = {len(batch.lengths) // batch.group_size: groups, len(batch.lengths): sequences}
    by_size[batch.num_tokens] = tokens
    return replace(
        batch,
        input_ids=batch.input_ids[tokens],
        token_type_ids=batch.token_type_ids[tokens],
        position_ids=batch.position_ids[tokens],
        lengths=batch.lengths[sequences],
        sample_ids=batch.sample_ids[sequences],
        labels={name: label[by_size[label.shape[0]]] for name, label in batch.labels.items()},
    )
