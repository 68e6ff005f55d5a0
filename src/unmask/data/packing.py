"""Plain pretraining samples: documents cut into chunks, each between special tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.batch import Batch
from unmask.errors import DataError, UsageError
from unmask.text.layout import Layout


class TokenStore(Protocol):
    """What a sample needs of a corpus: its tokens, and where documents and sentences stop."""

    def document_offsets(self) -> NDArray[np.int64]:
        """(documents + 1,) int64, token offsets."""

    def sentence_offsets(self) -> NDArray[np.int64]:
        """(sentences + 1,) int64, token offsets; every document offset is among them."""

    def tokens(self, start: int, stop: int) -> NDArray[np.integer]:
        """The token ids of a range inside one document, without special tokens."""


class Chunks:
    """Every document cut, from its start, into chunks that just fill a sequence.

    A chunk never crosses documents, and a document's last chunk is as short as it falls: no token
    is dropped, and none is seen twice in an epoch. Samples do not depend on the epoch.
    """

    def __init__(
        self,
        shards: TokenStore,
        documents: NDArray[np.int64],
        sequence_length: int,
        layout: Layout,
    ) -> None:
        """Takes the numbers of the documents to use, one-dimensional int64, in any order.

        Memory grows with their number.

        Raises:
            UsageError: The sequences are too short to hold a token between the special ones.
            DataError: The documents hold less text than one sequence.
        """
        if sequence_length <= layout.single_cost:
            raise UsageError(
                f"sequence_length is {sequence_length}: [CLS] and [SEP] leave no room for text, "
                f"set it (--train.sequence-length) to {layout.single_cost + 1} or more (128 is "
                "usual)"
            )
        self._shards = shards
        self._layout = layout
        self._room = sequence_length - layout.single_cost
        offsets = shards.document_offsets()
        self._starts = offsets[:-1][documents]
        self._stops = offsets[1:][documents]
        self.num_tokens = int((self._stops - self._starts).sum())
        """Tokens of one epoch, specials not counted."""
        if self.num_tokens < self._room:
            raise DataError(
                f"the {len(documents)} document(s) to train on, or held out to measure on, have "
                f"{self.num_tokens} tokens, fewer than one sequence of {sequence_length}: add "
                "text, set a shorter --train.sequence-length, or, if it is the held-out text, "
                "raise --validation-rate or name a corpus by --validation"
            )
        counts = -(-(self._stops - self._starts) // self._room)
        self._first = np.concatenate([[0], np.cumsum(counts)])

    def __len__(self) -> int:
        return int(self._first[-1])

    def batch(self, sample_ids: NDArray[np.int64], _epochs: NDArray[np.int64], /) -> Batch:
        """Packs chunks (B,), in the order given; the epoch changes nothing."""
        which = np.searchsorted(self._first, sample_ids, side="right") - 1
        starts = self._starts[which] + (sample_ids - self._first[which]) * self._room
        stops = np.minimum(starts + self._room, self._stops[which])
        lengths = stops - starts + self._layout.single_cost
        input_ids = np.empty(int(lengths.sum()), dtype=np.int64)
        first = np.cumsum(lengths) - lengths
        lay(input_ids, first, self._layout.start)
        first += len(self._layout.start)
        lay(input_ids, first + stops - starts, self._layout.end)
        for place, start, stop in zip(first.tolist(), starts.tolist(), stops.tolist(), strict=True):
            input_ids[place : place + stop - start] = self._shards.tokens(start, stop)
        return packed(input_ids, np.zeros_like(input_ids), lengths.tolist(), sample_ids)


def lay(input_ids: NDArray[np.int64], places: NDArray[np.int64], ids: tuple[int, ...]) -> None:
    """Writes the same few ids at each of the places (B,) of a packed batch (N,)."""
    for i, token in enumerate(ids):
        input_ids[places + i] = token


def packed(
    input_ids: NDArray[np.int64],
    token_type_ids: NDArray[np.int64],
    lengths: Sequence[int],
    sample_ids: NDArray[np.int64],
) -> Batch:
    """Wraps arrays as a batch, tokens (N,) and sequences (B,), and counts the positions."""
    sizes = np.asarray(lengths, dtype=np.int64)
    position_ids = np.arange(len(input_ids)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return Batch(
        input_ids=torch.from_numpy(input_ids),
        token_type_ids=torch.from_numpy(token_type_ids),
        position_ids=torch.from_numpy(position_ids),
        lengths=tuple(sizes.tolist()),
        sample_ids=torch.from_numpy(sample_ids.copy()),
    )
