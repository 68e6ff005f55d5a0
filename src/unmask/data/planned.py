"""Which samples share a step, where that matters: of one data set, and often no text twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.batch import Batch
from unmask.data.randomness import Permutation
from unmask.data.windows import Window, collate
from unmask.errors import DataError

_APART = 7919
"""Sets the shuffles of one data set apart from another's."""
_MOST_PASSES = 1 << 20
"""Over one data set in an epoch, which a heavy weight asks for."""
Waiting = tuple[int, int]
"""A sample that waits for a batch: its place in the order, and its number."""


@dataclass(frozen=True)
class Group:
    """The examples of one data set, each of as many texts."""

    windows: Sequence[Sequence[Window]]
    """Of each example, one a text."""
    texts: NDArray[np.int64]
    """(S, K) numbers of the texts, equal for equal texts, over all data sets."""
    weight: float
    """Share of the batches, relative to the others'."""
    is_distinct: bool
    """Whether no text may stand in two examples of a batch."""
    num_cut: int = 0
    """Texts that are longer than what is read of them."""

    def batches(self, order: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
        """Whole batches of its examples, near the order given; the rest is left out."""
        if self.is_distinct:
            return without_repeats(order, self.texts, batch_size)
        whole = len(order) // batch_size
        return list(order[: whole * batch_size].reshape(whole, batch_size))


@dataclass(frozen=True)
class Share:
    """What an epoch has of one data set, in examples."""

    num_examples: int
    """All of them."""
    num_whole: int
    """Those that fill whole batches."""
    num_taken: int
    """Those that are taken, as the weight says; more than all of them are taken again."""
    is_distinct: bool
    """Whether some may fill none because their texts are others' too."""


class PlannedSource:
    """Examples of several data sets, in an order of which every `batch_size` are a batch.

    A batch is of one data set. Where its loss takes texts of other examples for wrong answers, no
    text stands in two examples: it would be called wrong for the very anchor that it is right for.
    What fits into no whole batch is left out of an epoch; each epoch has another order. All of it
    follows from seed and epoch.
    """

    def __init__(self, groups: Sequence[Group], batch_size: int) -> None:
        """Raises DataError where a data set has fewer examples than a batch."""
        self._groups = groups
        self._batch_size = batch_size
        self._firsts = np.cumsum([0, *(len(group.windows) for group in groups)])
        self._whole = _whole(groups, batch_size)
        self._shares = _shares(groups, self._whole)
        self._last: tuple[tuple[int, int], NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return sum(self._shares) * self._batch_size

    @property
    def shares(self) -> list[Share]:
        """What an epoch has of each data set."""
        return [
            Share(
                len(group.windows),
                whole * self._batch_size,
                share * self._batch_size,
                group.is_distinct,
            )
            for group, whole, share in zip(self._groups, self._whole, self._shares, strict=True)
        ]

    def ordered(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """(S,) the samples of an epoch, batch after batch; sample numbers run over all sets.

        The last one is remembered: the loader asks at every step.
        """
        if self._last is None or self._last[0] != (seed, epoch):
            self._last = (seed, epoch), self._planned(seed, epoch)
        return self._last[1]

    def _planned(self, seed: int, epoch: int) -> NDArray[np.int64]:
        which = np.repeat(np.arange(len(self._groups)), self._shares)
        which = which[Permutation(len(which), seed, epoch)(np.arange(len(which)))]
        several = [self._drawn(number, seed, epoch) for number in range(len(self._groups))]
        planned = np.concatenate([next(several[number]) for number in which.tolist()])
        planned.flags.writeable = False  # handed out again and again
        return planned

    def batch(self, sample_ids: NDArray[np.int64], _epochs: NDArray[np.int64], /) -> Batch:
        """Packs samples (S,) of one data set, their texts side by side; the epoch changes nothing.

        `labels` gets `texts`, (S * K,) the number of each text, and `data_set` (S,), its number.
        """
        numbers = np.searchsorted(self._firsts, sample_ids, side="right") - 1
        assert (numbers == numbers[0]).all(), "a batch is of one data set"
        group = self._groups[int(numbers[0])]
        members = sample_ids - self._firsts[numbers[0]]
        windows = [window for i in members.tolist() for window in group.windows[i]]
        size = group.texts.shape[1]
        batch = collate(windows, np.repeat(sample_ids, size))
        labels = {
            **batch.labels,
            "texts": torch.from_numpy(group.texts[members].reshape(-1)),
            "data_set": torch.from_numpy(numbers),
        }
        return replace(batch, group_size=size, labels=labels)

    def _drawn(self, number: int, seed: int, epoch: int) -> Iterator[NDArray[np.int64]]:
        """The batches of one data set in an epoch, in as many passes over it as are asked for."""
        group = self._groups[number]
        size = len(group.windows)
        first = epoch * _MOST_PASSES
        for passed in range(first, first + _MOST_PASSES):
            order = Permutation(size, seed + _APART * number, passed)(np.arange(size))
            for batch in group.batches(order, self._batch_size):
                yield batch + self._firsts[number]


def without_repeats(
    order: NDArray[np.int64], texts: NDArray[np.int64], batch_size: int
) -> list[NDArray[np.int64]]:
    """Whole batches of samples, in the order given, none with a text in two of its samples.

    A sample that does not fit waits for the next batch; what waits at the end is left out. Samples
    wait in a queue for each text, so that those behind a text that is in the batch already are not
    looked at one by one: of a text in half of all samples that would take quadratic time.
    """
    rows = [frozenset(row) for row in texts.tolist()]
    coming = enumerate(order.tolist())
    queues: defaultdict[int, list[Waiting]] = defaultdict(list)  # heaps, by a text of each sample
    batches: list[NDArray[np.int64]] = []
    while True:
        members: list[int] = []
        seen: set[int] = set()
        for one in _next(queues, seen, coming):
            sample = one[1]
            blocking = next((text for text in rows[sample] if text in seen), None)
            if blocking is not None:
                heappush(queues[blocking], one)
                continue
            members.append(sample)
            seen |= rows[sample]
            if len(members) == batch_size:
                break
        if len(members) < batch_size:
            return batches
        batches.append(np.asarray(members, dtype=np.int64))


def _next(
    queues: defaultdict[int, list[Waiting]], seen: set[int], coming: Iterator[Waiting]
) -> Iterator[Waiting]:
    """Samples that may go into a batch of the texts `seen`, which grows: those that wait first.

    They leave their queue; in the order of their places, as if each were looked at.
    """
    for text in [text for text, queue in queues.items() if not queue]:
        del queues[text]
    heads = [(queue[0], text) for text, queue in queues.items()]
    heapify(heads)
    while heads:
        one, text = heappop(heads)
        if text in seen:
            continue
        heappop(queues[text])
        yield one
        if text not in seen and queues[text]:  # it waits for another text now
            heappush(heads, (queues[text][0], text))
    yield from coming


def _whole(groups: Sequence[Group], batch_size: int) -> list[int]:
    """Batches that each data set fills.

    Raises:
        DataError: One fills none.
    """
    holds = []
    for number, group in enumerate(groups):
        order = np.arange(len(group.windows))
        whole = len(group.batches(order, batch_size))
        if not whole:
            raise DataError(
                f"data set {number + 1}: of its {len(group.windows)} examples no {batch_size} "
                + ("have texts of their own, which" if group.is_distinct else "are there, as")
                + " a batch needs; give more, or set a smaller --train.batch-size."
            )
        holds.append(whole)
    return holds


def _shares(groups: Sequence[Group], whole: Sequence[int]) -> list[int]:
    """Batches of each data set in an epoch, which has as many as all of them fill."""
    weights = np.array([group.weight for group in groups], dtype=np.float64)
    if np.ptp(weights) == 0.0:
        return list(whole)
    shares = weights / weights.sum() * sum(whole)
    return [max(1, round(share)) for share in shares.tolist()]
