"""Examples as a model reads them: sequences with their labels, packed on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.batch import IGNORED, Batch
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
    """Neighbouring windows that belong together, such as the choices of a question or the documents
    of a query; all windows of a group say the same."""


class WindowSource:
    """A data set of windows, one a sample or one group a sample, the same in every epoch.

    Groups may differ in size. In a batch they are all as large as its largest one: what the others
    lack are sequences of one token, whose labels are IGNORED, or NaN where labels are fractions.
    """

    def __init__(self, windows: Sequence[Window]) -> None:
        self._windows = windows
        starts = [0]
        while starts[-1] < len(windows):
            starts.append(starts[-1] + windows[starts[-1]].group_size)
        self._starts = np.asarray(starts, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def batch(self, sample_ids: NDArray[np.int64], _epochs: NDArray[np.int64], /) -> Batch:
        """Packs the windows of samples (S,), in the order given; the epoch changes nothing."""
        starts, stops = self._starts[sample_ids], self._starts[sample_ids + 1]
        size = int((stops - starts).max())
        windows: list[Window] = []
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            windows += self._windows[start:stop]
            if stop - start < size:
                windows += [_filler(windows[-1])] * (size - stop + start)
        return replace(collate(windows, np.repeat(sample_ids, size)), group_size=size)


def _filler(window: Window) -> Window:
    """As little as can be read, and nothing to learn from it."""
    labels = {
        name: np.full_like(label, np.nan if label.dtype.kind == "f" else IGNORED)
        for name, label in window.labels.items()
    }
    return Window(window.input_ids[:1], 1, labels, group_size=window.group_size)


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
