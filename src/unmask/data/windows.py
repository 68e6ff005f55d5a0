"""Examples as a model reads them: sequences with their labels, packed on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.batch import Batch
from unmask.data.packing import packed


@dataclass(frozen=True, slots=True)
class Window:
    """One sequence out of an example; an example longer than the model reads has several."""

    input_ids: NDArray[np.int64]
    """(T,) with special tokens in place."""
    num_first: int
    """Tokens of segment 0; what follows is segment 1."""
    labels: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    """Per loss term: (T,) where tokens are labelled, (1,) or (1, K) where the sequence is. Where a
    group has one label in all, (1,) in its first window and (0,) in the others."""
    places: NDArray[np.int64] | None = None
    """(T, ...) what each token stands on, in the task's own terms: words, or code points."""
    group_size: int = 1
    """Neighbouring windows that belong together, such as the choices of a question; the same for
    all windows of a data set."""


class WindowSource:
    """A data set of windows, one a sample or one group a sample, the same in every epoch."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self._windows = windows
        self._group_size = windows[0].group_size if windows else 1

    def __len__(self) -> int:
        return len(self._windows) // self._group_size

    def batch(self, sample_ids: NDArray[np.int64], _epochs: NDArray[np.int64], /) -> Batch:
        """Packs the windows of samples (S,), in the order given; the epoch changes nothing."""
        size = self._group_size
        numbers = (sample_ids[:, None] * size + np.arange(size)).ravel()
        windows = [self._windows[i] for i in numbers.tolist()]
        return replace(collate(windows, np.repeat(sample_ids, size)), group_size=size)


def collate(windows: Sequence[Window], sample_ids: NDArray[np.int64] | None = None) -> Batch:
    """Packs windows, at least one, which all have labels for the same terms, or none.

    They need not be whole groups: the batch's `group_size` is 1.
    """
    lengths = [len(window.input_ids) for window in windows]
    starts = np.cumsum([0, *lengths])[:-1]
    segments = np.ones(sum(lengths), dtype=np.int64)
    for start, window in zip(starts.tolist(), windows, strict=True):
        segments[start : start + window.num_first] = 0
    batch = packed(
        np.concatenate([window.input_ids for window in windows]),
        segments,
        lengths,
        np.arange(len(windows)) if sample_ids is None else sample_ids,
    )
    labels = {
        name: torch.from_numpy(np.concatenate([window.labels[name] for window in windows]))
        for name in windows[0].labels
    }
    return replace(batch, labels=labels)
