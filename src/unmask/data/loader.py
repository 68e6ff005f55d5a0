"""Which samples make a step: pure functions of a cursor, the same for any number of processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unmask.batch import Batch
from unmask.data.randomness import Permutation
from unmask.errors import DataError, UsageError

Transform = Callable[[Batch, NDArray[np.int64]], Batch]
"""Takes a batch and the epoch of each of its sequences, (B,) int64; pure per sequence."""


class Source(Protocol):
    """A data set of numbered samples, each a pure function of its number and the epoch."""

    def __len__(self) -> int:
        """Samples of one epoch."""

    def batch(self, sample_ids: NDArray[np.int64], epochs: NDArray[np.int64], /) -> Batch:
        """Packs samples (B,), each as it looks in its epoch (B,), in the order given."""


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

    Every epoch is a permutation of all samples by (seed, epoch); a draw may run over the end of
    one epoch, or of several, into the next.

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
    rank: int = 0,
    world_size: int = 1,
) -> tuple[list[Batch], Cursor]:
    """Makes this process's micro-batches of one optimizer step, and the next step's cursor.

    `batch_size` counts sequences per optimizer step over all processes; process `rank` takes
    every `world_size`-th of them. The cursor is the same in all processes.

    Raises:
        UsageError: There are fewer sequences in a step than processes.
        DataError: The source has no samples.
    """
    if batch_size < world_size:
        raise UsageError(
            f"batch_size is {batch_size} for {world_size} processes: each needs at least one "
            f"sequence per optimizer step, so set batch_size to {world_size} or more"
        )
    sample_ids, epochs, after = take(source, cursor, batch_size, seed)
    mine = slice(rank, None, world_size)
    batch = transform(source.batch(sample_ids[mine], epochs[mine]), epochs[mine])
    return split(batch, micro_batch_tokens), after


def split(batch: Batch, micro_batch_tokens: int) -> list[Batch]:
    """Cuts a batch into runs of whole sequences, each of at most `micro_batch_tokens` tokens.

    A sequence longer than that is a micro-batch of its own. The tensors are views.
    """
    micro_batches: list[Batch] = []
    first, tokens = 0, 0
    for index, length in enumerate(batch.lengths):
        if index > first and tokens + length > micro_batch_tokens:
            micro_batches.append(_sequences(batch, first, index))
            first, tokens = index, 0
        tokens += length
    if batch.lengths:
        micro_batches.append(_sequences(batch, first, len(batch.lengths)))
    return micro_batches


def _sequences(batch: Batch, first: int, last: int) -> Batch:
    """The sequences first..last-1 of a batch."""
    start = sum(batch.lengths[:first])
    tokens = slice(start, start + sum(batch.lengths[first:last]))
    sequences = slice(first, last)
    # A label is per token or per sequence; the two sizes are equal only if every sequence is one
    # token long, and then the two slices are equal too.
    return replace(
        batch,
        input_ids=batch.input_ids[tokens],
        token_type_ids=batch.token_type_ids[tokens],
        position_ids=batch.position_ids[tokens],
        lengths=batch.lengths[sequences],
        sample_ids=batch.sample_ids[sequences],
        labels={
            name: label[tokens if label.shape[0] == batch.num_tokens else sequences]
            for name, label in batch.labels.items()
        },
    )
