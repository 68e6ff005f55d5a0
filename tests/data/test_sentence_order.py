from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import binomtest

from unmask.batch import Batch
from unmask.data.pairs import SentenceOrder
from unmask.errors import DataError
from unmask.text.layout import Layout

CLS, SEP = 2, 3


@dataclass(frozen=True)
class Corpus:
    """Sentences of so many tokens; ids count up from 10, so that an id tells its place."""

    documents: list[list[int]]

    def sentence_offsets(self) -> np.ndarray:
        sizes = [size for document in self.documents for size in document]
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def document_offsets(self) -> np.ndarray:
        sizes = [sum(document) for document in self.documents]
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def tokens(self, start: int, stop: int) -> np.ndarray:
        return np.arange(10 + start, 10 + stop, dtype=np.uint32)


def ordered(documents: list[list[int]], sequence_length: int = 32, seed: int = 0) -> SentenceOrder:
    chosen = np.arange(len(documents), dtype=np.int64)
    layout = Layout.bert(CLS, SEP)
    return SentenceOrder(Corpus(documents), chosen, sequence_length, layout, seed)


def novel(num_documents: int = 8, num_sentences: int = 60) -> list[list[int]]:
    generator = np.random.default_rng(0)
    return [generator.integers(2, 12, num_sentences).tolist() for _ in range(num_documents)]


def every(source: SentenceOrder, epoch: int = 0) -> Batch:
    sample_ids = np.arange(len(source))
    return source.batch(sample_ids, np.full_like(sample_ids, epoch))


def segments(batch: Batch) -> list[tuple[list[int], list[int], int]]:
    """The first segment, the second, and the label of each pair."""
    found = []
    parts = batch.input_ids.split(list(batch.lengths))
    for part, label in zip(parts, batch.labels["sop"].tolist(), strict=True):
        ids = part.tolist()
        middle = ids.index(SEP)
        assert (ids[0], ids[-1]) == (CLS, SEP)
        found.append((ids[1:middle], ids[middle + 1 : -1], label))
    return found


def test_label_zero_is_the_order_of_the_text_and_one_is_turned_round() -> None:
    for first, second, label in segments(every(ordered(novel()))):
        a, b = (second, first) if label else (first, second)
        assert first
        assert second
        assert a == list(range(a[0], a[-1] + 1))
        assert b == list(range(b[0], b[-1] + 1))
        # Neighbours, but for what is trimmed from either: at most a sentence's worth.
        assert 0 < b[0] - a[-1] <= 1 + 2 * 12


def test_both_segments_are_of_one_document() -> None:
    documents = novel()
    ends = 10 + np.cumsum([sum(document) for document in documents])
    for first, second, _ in segments(every(ordered(documents))):
        owners = np.searchsorted(ends, [first[0], first[-1], second[0], second[-1]], side="right")
        assert len(set(owners.tolist())) == 1


def test_half_of_the_pairs_are_turned_round() -> None:
    labels = [
        label for epoch in range(8) for _, _, label in segments(every(ordered(novel()), epoch))
    ]

    assert binomtest(sum(labels), len(labels)).pvalue > 0.001


def test_an_epoch_asks_anew_and_repeats_itself() -> None:
    source = ordered(novel())

    first, again, other = every(source), every(source), every(source, epoch=1)

    assert segments(first) == segments(again)
    assert segments(first) != segments(other)


def test_a_pair_does_not_depend_on_the_batch_around_it() -> None:
    source = ordered(novel())
    whole = segments(every(source))

    chosen = np.array([5, 2])
    assert segments(source.batch(chosen, chosen * 0)) == [whole[5], whole[2]]


def test_no_pair_is_longer_than_a_sequence() -> None:
    documents = [[40, 3, 2, 50], [9] * 20]
    batch = every(ordered(documents, sequence_length=16))

    assert max(batch.lengths) <= 16
    assert all(a and b for a, b, _ in segments(batch))


def test_documents_of_one_sentence_are_left_out() -> None:
    assert len(ordered([[5], [4, 4], [6]])) == 1


def test_one_document_is_enough_and_one_sentence_is_not() -> None:
    assert len(ordered([[4, 4, 4, 4]])) > 0
    with pytest.raises(DataError, match="no document with two sentences"):
        ordered([[5], [6]])
