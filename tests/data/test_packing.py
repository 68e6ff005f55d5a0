from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.batch import Batch
from unmask.data.packing import Chunks
from unmask.errors import DataError, UsageError
from unmask.text.layout import Layout

CLS, SEP = 2, 3


@dataclass(frozen=True)
class Corpus:
    """Documents in memory; token ids count up from 10, so that an id tells its place."""

    sizes: list[int]

    def document_offsets(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)

    def sentence_offsets(self) -> np.ndarray:
        return self.document_offsets()

    def tokens(self, start: int, stop: int) -> np.ndarray:
        return np.arange(10 + start, 10 + stop, dtype=np.uint16)


def chunks(sizes: list[int], sequence_length: int, documents: list[int] | None = None) -> Chunks:
    chosen = np.array(range(len(sizes)) if documents is None else documents, dtype=np.int64)
    return Chunks(Corpus(sizes), chosen, sequence_length, Layout.bert(CLS, SEP))


def sequences(batch: Batch) -> list[list[int]]:
    return [part.tolist() for part in batch.input_ids.split(list(batch.lengths))]


def every(source: Chunks) -> Batch:
    sample_ids = np.arange(len(source))
    return source.batch(sample_ids, np.zeros_like(sample_ids))


def test_documents_are_cut_between_cls_and_sep() -> None:
    batch = every(chunks([5, 3, 7], sequence_length=5))
    assert sequences(batch) == [
        [CLS, 10, 11, 12, SEP],
        [CLS, 13, 14, SEP],
        [CLS, 15, 16, 17, SEP],
        [CLS, 18, 19, 20, SEP],
        [CLS, 21, 22, 23, SEP],
        [CLS, 24, SEP],
    ]


def test_positions_count_within_each_sequence_and_samples_keep_their_numbers() -> None:
    batch = chunks([5, 3, 7], sequence_length=5).batch(np.array([1, 4]), np.array([0, 9]))
    assert batch.position_ids.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4]
    assert batch.token_type_ids.tolist() == [0] * 9
    assert batch.sample_ids.tolist() == [1, 4]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(lambda s: sum(s) >= 40),
    sequence_length=st.integers(3, 42),
)
def test_no_token_is_lost_or_repeated_and_no_chunk_crosses_documents(
    sizes: list[int], sequence_length: int
) -> None:
    source = chunks(sizes, sequence_length)
    bodies = [sequence[1:-1] for sequence in sequences(every(source))]
    assert [token for body in bodies for token in body] == list(range(10, 10 + sum(sizes)))
    boundaries = 10 + np.cumsum(sizes)
    for body in bodies:
        assert 1 <= len(body) <= sequence_length - 2
        owner = np.searchsorted(boundaries, body, side="right")
        assert owner.min() == owner.max()
    assert source.num_tokens == sum(sizes)


def test_samples_come_in_the_order_asked_for() -> None:
    source = chunks([20, 9, 30], sequence_length=6)
    order = np.random.default_rng(0).permutation(len(source))
    in_order = sequences(every(source))
    assert sequences(source.batch(order, np.zeros_like(order))) == [in_order[i] for i in order]


def test_only_the_chosen_documents_are_used_in_the_order_given() -> None:
    batch = every(chunks([3, 4, 3], sequence_length=5, documents=[2, 0]))
    assert sequences(batch) == [[CLS, 17, 18, 19, SEP], [CLS, 10, 11, 12, SEP]]


def test_text_shorter_than_one_sequence_is_refused_with_the_numbers() -> None:
    told = r"2 document.* have 9 tokens.* sequence of 128.*--validation"
    with pytest.raises(DataError, match=told):
        chunks([5, 4], sequence_length=128)


def test_no_documents_at_all_are_refused() -> None:
    with pytest.raises(DataError, match=r"0 document.* have 0 tokens"):
        chunks([5, 4], sequence_length=3, documents=[])


def test_sequences_too_short_for_a_token_are_refused() -> None:
    with pytest.raises(UsageError, match="leave no room for text"):
        chunks([5, 4], sequence_length=2)
