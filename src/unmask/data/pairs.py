"""Sentence pairs for next sentence prediction: does B follow A, or is it from elsewhere?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.batch import Batch
from unmask.data.packing import TokenStore, lay, packed
from unmask.data.randomness import Stream, absorb, below, sample_state, uniform
from unmask.errors import DataError, UsageError
from unmask.text.layout import Layout


class SentencePairs:
    """`[CLS] A [SEP] B [SEP]`, with B half the time what follows A (Devlin et al. 2019, A.2).

    Documents are cut into windows of consecutive sentences that just fill a sequence; a window is
    a sample. Every epoch splits it anew, between two sentences, into A and B, and every epoch
    draws whether B is replaced by sentences of another document. Of the longer segment, tokens are
    cut at both ends until the pair fits.

    Where google-research/bert's create_pretraining_data.py differs, this wins: a window's unused
    second half is not given back (the number of samples is fixed), windows are never shortened at
    random, a document's lone last sentence joins the window before it, and the cut tokens divide
    uniformly over the two ends. As there, a document of a single sentence always gets a random B.
    """

    term = "nsp"
    """The label's name."""

    def __init__(
        self,
        shards: TokenStore,
        documents: NDArray[np.int64],
        sequence_length: int,
        layout: Layout,
        seed: int,
    ) -> None:
        """Takes the numbers of the documents to use, one-dimensional int64.

        Memory grows with the sentences of the corpus.

        Raises:
            UsageError: The sequences are too short to hold two segments.
            DataError: There are no two documents, or no two sentences in one document.
        """
        if sequence_length < layout.pair_cost + 2:
            raise UsageError(
                f"sequence_length is {sequence_length}: [CLS] A [SEP] B [SEP] needs "
                f"{layout.pair_cost + 2} or more "
                "(--train.sequence-length; 128 is usual)"
            )
        self._shards = shards
        self._layout = layout
        self._seed = seed
        self._room = sequence_length - layout.pair_cost
        offsets = shards.document_offsets()
        # Empty sentences and documents stand as repeated offsets, which nothing can point into.
        self._offsets = np.unique(shards.sentence_offsets())
        first = np.searchsorted(self._offsets, offsets[:-1][documents])
        last = np.searchsorted(self._offsets, offsets[1:][documents])
        self._first, self._last = first[last > first], last[last > first]
        self._require_pairs()
        windows = np.array(list(self._windows()), dtype=np.int64)
        self._owner, self._begin, self._end = windows.T  # (samples,) each

    def __len__(self) -> int:
        return len(self._owner)

    def batch(self, sample_ids: NDArray[np.int64], epochs: NDArray[np.int64], /) -> Batch:
        """Packs pairs (B,), each as it is in its epoch (B,), in the order given.

        `labels["nsp"]` is (B,) int64: 0 where B follows A, 1 where it is random (the convention of
        transformers).
        """
        state = sample_state(self._seed, epochs, sample_ids)
        starts, stops, answers = self._segments(state, sample_ids)
        lengths = stops - starts  # (2, B)
        kept = self._trimmed(lengths)
        cut = lengths - kept
        starts[0] += below(absorb(state, Stream.PAIR_TRIM_A), cut[0] + 1)
        starts[1] += below(absorb(state, Stream.PAIR_TRIM_B), cut[1] + 1)

        layout = self._layout
        total = kept.sum(axis=0) + layout.pair_cost  # (B,)
        begin = np.cumsum(total) - total
        first = begin + len(layout.start)
        second = first + kept[0] + len(layout.between)
        input_ids = np.empty(int(total.sum()), dtype=np.int64)
        token_type_ids = np.zeros_like(input_ids)
        lay(input_ids, begin, layout.start)
        lay(input_ids, first + kept[0], layout.between)
        lay(input_ids, second + kept[1], layout.end)
        for segment, places in enumerate((first, second)):
            columns = (places, starts[segment], kept[segment])
            for place, start, size in np.stack(columns, axis=1).tolist():
                input_ids[place : place + size] = self._shards.tokens(start, start + size)
                token_type_ids[place : place + size + len(layout.end)] = segment
        batch = packed(input_ids, token_type_ids, total.tolist(), sample_ids)
        return replace(batch, labels={self.term: torch.from_numpy(answers.astype(np.int64))})

    def _segments(
        self, state: NDArray[np.uint64], sample_ids: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Token starts and stops of A and B (2, B) before trimming; whether B is random (B,)."""
        begin, end = self._begin[sample_ids], self._end[sample_ids]
        gaps = np.maximum(end - begin - 1, 1)
        split = begin + 1 + below(absorb(state, Stream.PAIR_SPLIT), gaps)
        coin = uniform(absorb(state, Stream.PAIR_IS_RANDOM))
        is_random = (coin < 0.5) | (split == end)

        # One of the other documents: the window's own is left out of the numbering.
        other = below(absorb(state, Stream.PAIR_DOCUMENT), len(self._first) - 1)
        other += other >= self._owner[sample_ids]
        first, last = self._first[other], self._last[other]
        start = first + below(absorb(state, Stream.PAIR_SENTENCE), last - first)
        room = self._room - (self._offsets[split] - self._offsets[begin])
        reach = np.searchsorted(self._offsets, self._offsets[start] + room)
        stop = np.minimum(np.maximum(reach, start + 1), last)

        starts = np.stack([begin, np.where(is_random, start, split)])
        stops = np.stack([split, np.where(is_random, stop, end)])
        return self._offsets[starts], self._offsets[stops], is_random

    def _trimmed(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of A and B that stay (2, B): what popping the longer one, B at a tie, leaves."""
        a, b = lengths
        return np.stack(
            [
                np.minimum(a, np.maximum(self._room - b, self._room - self._room // 2)),
                np.minimum(b, np.maximum(self._room - a, self._room // 2)),
            ]
        )

    def _windows(self) -> Iterator[tuple[int, int, int]]:
        """Document, first sentence and end of each window: at least two sentences if there are."""
        reach = np.searchsorted(self._offsets, self._offsets + self._room)
        for owner, (first, last) in enumerate(
            zip(self._first.tolist(), self._last.tolist(), strict=True)
        ):
            begin = first
            while begin < last:
                end = min(max(int(reach[begin]), begin + 2), last)
                if end == last - 1:
                    end = last
                yield owner, begin, end
                begin = end

    def _require_pairs(self) -> None:
        if len(self._first) < 2:
            raise DataError(
                f"next sentence prediction found {len(self._first)} document with text, expected "
                "at least 2: its random B comes from another document, so add documents or make "
                "one document a record, a file or a paragraph"
            )
        if int((self._last - self._first).max()) < 2:
            raise DataError(
                "next sentence prediction found no document with two sentences, so that no B "
                "could follow its A: use longer documents, or train without it"
            )


class SentenceOrder(SentencePairs):
    """`[CLS] A [SEP] B [SEP]`, where B follows A or, half the time, A follows B.

    Lan et al. 2020 (ALBERT), section 3.1: both come from one document, so that their topic tells
    nothing. Windows are split and trimmed as for `SentencePairs`; those of a single sentence are
    left out. `labels["sop"]` is 0 where the order is the text's, 1 where it is turned round.
    """

    term = "sop"

    def _segments(
        self, state: NDArray[np.uint64], sample_ids: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        begin, end = self._begin[sample_ids], self._end[sample_ids]
        split = begin + 1 + below(absorb(state, Stream.PAIR_SPLIT), end - begin - 1)
        is_turned = uniform(absorb(state, Stream.PAIR_IS_TURNED)) < 0.5
        starts = np.where(is_turned, [split, begin], [begin, split])
        stops = np.where(is_turned, [end, split], [split, end])
        return self._offsets[starts], self._offsets[stops], is_turned

    def _windows(self) -> Iterator[tuple[int, int, int]]:
        return ((owner, a, b) for owner, a, b in super()._windows() if b - a > 1)

    def _require_pairs(self) -> None:
        if not len(self._first) or int((self._last - self._first).max()) < 2:
            raise DataError(
                "sentence order prediction found no document with two sentences, whose order could "
                "be asked for: use longer documents, or train without it"
            )
