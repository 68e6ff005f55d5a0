from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.nn.context import PADDING_RATE, Context, PackedContext, make_context

CPU = torch.device("cpu")
TINY = settings(deadline=None, derandomize=True)
LENGTHS = st.lists(st.integers(1, 70), min_size=1, max_size=12)


@st.composite
def lengths_and_counts(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    lengths = draw(LENGTHS)
    return lengths, [draw(st.integers(0, length)) for length in lengths]


def answers(context: Context, query_counts: list[int]) -> list[tuple[int, set[int]]]:
    """For every row that asks, in packed order: which row it is, and which keys it may see."""
    flat: list[tuple[int, set[int]]] = []
    for group in context.groups:
        num_sequences, num_queries, num_keys = group.shape
        own_queries = torch.arange(num_sequences * num_queries).view(num_sequences, num_queries)
        own_keys = torch.arange(num_sequences * num_keys).view(num_sequences, num_keys)
        queries = own_queries if group.queries is None else group.queries
        keys = own_keys if group.keys is None else group.keys
        assert queries.shape == (num_sequences, num_queries)
        assert keys.shape == (num_sequences, num_keys)
        seen = torch.ones(keys.shape, dtype=torch.bool)
        if group.mask is not None:
            assert group.mask.shape == (num_sequences, 1, 1, num_keys)
            seen = group.mask[:, 0, 0]
        for row, key_row, seen_row in zip(queries, keys, seen, strict=True):
            flat += [(int(query), set(key_row[seen_row].tolist())) for query in row]
    if context.restore is None:
        return flat
    assert context.restore.shape == (sum(query_counts),)
    return [flat[place] for place in context.restore.tolist()]


def expected(lengths: list[int], query_counts: list[int]) -> list[tuple[int, set[int]]]:
    rows: list[set[int]] = []
    start = 0
    for length, count in zip(lengths, query_counts, strict=True):
        rows += [set(range(start, start + length))] * count
        start += length
    return list(enumerate(rows))


@TINY
@given(LENGTHS)
def test_every_token_attends_to_its_own_sequence_and_no_other(lengths: list[int]) -> None:
    context = PackedContext()(tuple(lengths), torch.zeros(sum(lengths)))

    assert context.lengths == tuple(lengths)
    assert answers(context, lengths) == expected(lengths, lengths)


@TINY
@given(lengths_and_counts())
def test_rows_attend_to_all_of_their_own_sequence(drawn: tuple[list[int], list[int]]) -> None:
    lengths, counts = drawn

    context = make_context(lengths, CPU, query_counts=counts)

    assert answers(context, counts) == expected(lengths, counts)


@TINY
@given(lengths_and_counts())
def test_rows_by_position_are_rows_by_count(drawn: tuple[list[int], list[int]]) -> None:
    lengths, counts = drawn
    starts = torch.tensor([0, *lengths]).cumsum(0).tolist()
    # The last `count` positions of each sequence.
    rows = [r for i, n in enumerate(counts) for r in range(starts[i + 1] - n, starts[i + 1])]

    context = make_context(lengths, CPU).at(torch.tensor(rows, dtype=torch.int64))

    assert answers(context, counts) == expected(lengths, counts)


@TINY
@given(LENGTHS)
def test_no_sequence_is_padded_by_more_than_the_stated_share(lengths: list[int]) -> None:
    for group in make_context(lengths, CPU).groups:
        if group.mask is not None:
            shortest = int(group.mask.sum(dim=-1).min())
            assert shortest >= group.shape[2] * (1 - PADDING_RATE)


@pytest.mark.parametrize("lengths", [[9], [9, 9, 9], [1, 1]])
def test_equal_lengths_need_neither_gathering_nor_mask(lengths: list[int]) -> None:
    context = make_context(lengths, CPU)

    (group,) = context.groups
    assert (group.queries, group.keys, group.mask, context.restore) == (None, None, None, None)
