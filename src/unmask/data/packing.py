"""Plain pretraining samples: documents cut into chunks, each between [CLS] and [SEP]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.batch import Batch
from unmask.errors import DataError, UsageError


class TokenStore(Protocol):
    """What a sample needs of a corpus: its tokens, and where documents and sentences stop."""

    def document_offsets(self) -> NDArray[np.int64]:
        """(documents + 1,) int64, token offsets."""

    def sentence_offsets(self) -> NDArray[np.int64]:
        """(sentences + 1,) int64, token offsets; every document offset is among them."""

    def tokens(self, start: int, stop: int) -> NDArray[np.integer]:
        """The token ids of a range inside one document, without special tokens."""


class Chunks:
    """Every document cut, from its start, into chunks of `sequence_length - 2` tokens.

    A chunk never crosses documents, and a document's last chunk is as short as it falls: no token
    is dropped, and none is seen twice in an epoch. Samples do not depend on the epoch.
    """

    def __init__(
        self,
        shards: TokenStore,
        documents: NDArray[np.int64],
        sequence_length: int,
        cls_id: int,
        sep_id: int,
    ) -> None:
        """Takes the numbers of the documents to use, one-dimensional int64, in any order.

        Memory grows with their number.

        Raises:
            UsageError: The sequences are too short to hold a token between [CLS] and [SEP].
            DataError: The documents hold less text than one sequence.
        """
        if sequence_length < 3:
            raise UsageError(
                f"sequence_length is {sequence_length}: [CLS] and [SEP] leave no room for text, "
                "set it (--train.sequence-length) to 3 or more (128 is usual)"
            )
        self._shards = shards
        self._cls_id = cls_id
        self._sep_id = sep_id
        self._room = sequence_length - 2
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
        lengths = stops - starts + 2
        input_ids = np.empty(int(lengths.sum()), dtype=np.int64)
        ends = np.cumsum(lengths)
        input_ids[ends - lengths] = self._cls_id
        input_ids[ends - 1] = self._sep_id
        for end, start, stop in zip(ends.tolist(), starts.tolist(), stops.tolist(), strict=True):
            input_ids[end - 1 - (stop - start) : end - 1] = self._shards.tokens(start, stop)
        return packed(input_ids, np.zeros_like(input_ids), lengths.tolist(), sample_ids)


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
