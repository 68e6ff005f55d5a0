from __future__ import annotations

from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.nn.context import GROUP_COST, Context, PackedContext, make_context
from unmask.nn.slots import Slots

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
    query_rows = iter(rows_in_slots(context.queries, sum(query_counts)))
    key_rows = iter(rows_in_slots(context.keys, sum(context.lengths)))
    for group in context.groups:
        num_sequences, num_queries, num_keys = group.shape
        seen = torch.ones(num_sequences, num_keys, dtype=torch.bool)
        if group.mask is not None:
            assert group.mask.shape == (num_sequences, 1, 1, num_keys)
            seen = group.mask[:, 0, 0]
        queries = [list(islice(query_rows, num_queries)) for _ in range(num_sequences)]
        keys = torch.tensor(list(islice(key_rows, num_sequences * num_keys)))
        for own, key_row, seen_row in zip(queries, keys.view_as(seen), seen, strict=True):
            flat += [(query, set(key_row[seen_row].tolist())) for query in own]
    assert list(query_rows) == list(key_rows) == []
    if context.queries is None:
        return flat
    return [flat[place] for place in context.queries.places.tolist()]


def rows_in_slots(slots: Slots | None, num_rows: int) -> list[int]:
    return list(range(num_rows)) if slots is None else slots.rows.tolist()


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
def test_no_group_is_padded_by_more_than_another_group_would_cost(lengths: list[int]) -> None:
    groups = make_context(lengths, CPU).groups

    for group in groups:
        if group.mask is not None:
            wasted = group.shape[2] ** 2 - group.mask.sum(dim=-1) ** 2
            assert 0 < int(wasted.sum()) <= GROUP_COST
    assert sum(group.shape[0] for group in groups) == len(lengths)


@TINY
@given(lengths_and_counts())
def test_every_row_has_a_slot_of_its_own(drawn: tuple[list[int], list[int]]) -> None:
    lengths, counts = drawn
    context = make_context(lengths, CPU, query_counts=counts)

    for slots, num_rows in ((context.queries, sum(counts)), (context.keys, sum(lengths))):
        if slots is not None:
            assert slots.rows[slots.places].tolist() == list(range(num_rows))


@pytest.mark.parametrize("lengths", [[9], [9, 9, 9], [1, 1]])
def test_equal_lengths_need_neither_gathering_nor_mask(lengths: list[int]) -> None:
    context = make_context(lengths, CPU)

    (group,) = context.groups
    assert (group.mask, context.queries, context.keys) == (None, None, None)
