from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from unmask.batch import Batch
from unmask.data.pairs import SentencePairs
from unmask.errors import DataError, UsageError
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


def pairs(documents: list[list[int]], sequence_length: int = 32, seed: int = 0) -> SentencePairs:
    chosen = np.arange(len(documents), dtype=np.int64)
    return SentencePairs(Corpus(documents), chosen, sequence_length, Layout.bert(CLS, SEP), seed)


def novel(num_documents: int = 8, num_sentences: int = 60, seed: int = 0) -> list[list[int]]:
    generator = np.random.default_rng(seed)
    return [generator.integers(2, 12, num_sentences).tolist() for _ in range(num_documents)]


def every(source: SentencePairs, epoch: int = 0) -> Batch:
    sample_ids = np.arange(len(source))
    return source.batch(sample_ids, np.full_like(sample_ids, epoch))


def segments(batch: Batch) -> list[tuple[list[int], list[int], int]]:
    """A, B and the label of each pair."""
    found = []
    labels = batch.labels["nsp"].tolist()
    parts = batch.input_ids.split(list(batch.lengths))
    for part, label in zip(parts, labels, strict=True):
        ids = part.tolist()
        middle = ids.index(SEP)
        assert ids[0] == CLS
        assert ids[-1] == SEP
        found.append((ids[1:middle], ids[middle + 1 : -1], label))
    return found


def documents_of(documents: list[list[int]], ids: list[int]) -> set[int]:
    ends = 10 + np.cumsum([sum(document) for document in documents])
    return set(np.searchsorted(ends, ids, side="right").tolist())


def test_segments_are_marked_zero_and_one_with_their_separators() -> None:
    batch = every(pairs(novel()))
    parts = batch.token_type_ids.split(list(batch.lengths))
    for (a, b, _), types in zip(segments(batch), parts, strict=True):
        assert types.tolist() == [0] * (len(a) + 2) + [1] * (len(b) + 1)
    assert batch.position_ids.tolist() == [i for length in batch.lengths for i in range(length)]


def test_label_zero_means_b_follows_a_and_one_that_it_is_from_another_document() -> None:
    documents = novel()
    seen = set()
    for a, b, label in segments(every(pairs(documents))):
        assert len(documents_of(documents, a)) == len(documents_of(documents, b)) == 1
        same = documents_of(documents, a) == documents_of(documents, b)
        assert same == (label == 0)
        seen.add(label)
        if label == 0:
            assert a[-1] < b[0]
            assert b[-1] - a[0] < 32 + 2 * 12  # at most a sentence is cut at each end
    assert seen == {0, 1}


def test_untrimmed_segments_are_whole_sentences_that_follow_each_other() -> None:
    documents = [[3, 4, 5], [6, 2, 3]]
    ends = set((10 + np.cumsum([3, 4, 5, 6, 2, 3])).tolist())
    source = pairs(documents, sequence_length=64)
    assert len(source) == 2
    for epoch in range(20):
        for a, b, label in segments(every(source, epoch)):
            assert a[0] in {10, 22}
            assert a[-1] + 1 in ends
            assert b[-1] + 1 in ends
            if label == 0:
                assert b[0] == a[-1] + 1


@settings(max_examples=40, deadline=None)
@given(
    documents=st.lists(
        st.lists(st.integers(0, 30), min_size=1, max_size=12), min_size=2, max_size=5
    ).filter(
        lambda docs: (
            sum(sum(d) > 0 for d in docs) >= 2 and max(sum(s > 0 for s in d) for d in docs) >= 2
        )
    ),
    sequence_length=st.integers(5, 40),
)
def test_pairs_fit_and_no_segment_is_empty(
    documents: list[list[int]], sequence_length: int
) -> None:
    source = pairs(documents, sequence_length)
    for epoch in (0, 1):
        batch = every(source, epoch)
        assert max(batch.lengths) <= sequence_length
        for a, b, label in segments(batch):
            assert a
            assert b
            assert a == list(range(a[0], a[0] + len(a)))
            assert b == list(range(b[0], b[0] + len(b)))
            if label == 1:
                assert documents_of(documents, a) != documents_of(documents, b)


def test_labels_are_balanced_as_coin_flips() -> None:
    batch = every(pairs(novel(num_documents=20, num_sentences=300)))
    labels = batch.labels["nsp"]
    assert len(labels) > 1000
    assert binomtest(int(labels.sum()), len(labels), 0.5).pvalue > 1e-3


def test_random_documents_are_uniform_over_the_others() -> None:
    documents = novel(num_documents=6, num_sentences=400)
    chosen = [
        documents_of(documents, b).pop() - documents_of(documents, a).pop()
        for a, b, label in segments(every(pairs(documents)))
        if label == 1
    ]
    counts = np.bincount(np.array(chosen) % 6, minlength=6)
    assert counts[0] == 0
    assert chisquare(counts[1:]).pvalue > 1e-3


def test_the_longer_segment_is_trimmed_as_in_the_reference() -> None:
    source = pairs(novel(), sequence_length=18)
    for a in range(1, 40):
        for b in range(1, 40):
            popped = [a, b]
            while sum(popped) > 15:  # google-research/bert, truncate_seq_pair
                popped[0 if popped[0] > popped[1] else 1] -= 1
            assert source._trimmed(np.array([[a], [b]])).ravel().tolist() == popped


def test_both_ends_are_trimmed() -> None:
    documents = [[20, 20] for _ in range(40)]
    starts = 10 + np.arange(0, 1600, 20)
    first = [a[0] for a, _, _ in segments(every(pairs(documents)))]
    assert {int(start - starts[starts <= start][-1]) for start in first} == set(range(6))


def test_every_sentence_is_in_exactly_one_window() -> None:
    documents = [[5] * 13, [30], [3, 40, 2], [7] * 4]
    source = pairs(documents)
    windows = sorted(zip(source._begin.tolist(), source._end.tolist(), strict=True))
    assert [i for begin, end in windows for i in range(begin, end)] == list(range(13 + 1 + 3 + 4))
    # A lone sentence is left alone only where it is its whole document.
    assert [(b, e) for b, e in windows if e - b < 2] == [(13, 14)]


def test_a_document_of_one_sentence_always_gets_a_random_b() -> None:
    source = pairs([[5], [4, 4]])
    sample = np.zeros(30, dtype=np.int64)
    assert source.batch(sample, np.arange(30)).labels["nsp"].tolist() == [1] * 30


def test_pairs_change_with_the_epoch_and_the_seed_but_not_with_their_neighbours() -> None:
    documents = novel()
    source = pairs(documents)
    first, again = segments(every(source)), segments(every(source, epoch=1))
    assert first != again
    assert first != segments(every(pairs(documents, seed=1)))
    order = np.random.default_rng(0).permutation(len(source))
    epochs = np.arange(len(source)) % 2
    mixed = segments(source.batch(order, epochs))
    assert mixed == [
        (again if epoch else first)[sample] for sample, epoch in zip(order, epochs, strict=True)
    ]


def test_a_single_document_is_refused_because_a_random_b_needs_another() -> None:
    with pytest.raises(DataError, match=r"found 1 document with text.*another document"):
        pairs([[5, 5, 5], [0]])


def test_documents_of_single_sentences_are_refused_because_nothing_follows() -> None:
    with pytest.raises(DataError, match="no document with two sentences"):
        pairs([[5], [6], [7]])


def test_sequences_too_short_for_two_segments_are_refused() -> None:
    with pytest.raises(UsageError, match="needs 5 or more"):
        pairs([[5, 5], [6, 6]], sequence_length=4)
