"""Batches of one data set without a text twice."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmask.data import planned
from unmask.data.loader import Cursor, step_batches, take
from unmask.data.planned import Group, PlannedSource, Share, without_repeats
from unmask.data.windows import Window
from unmask.errors import DataError


def group(texts: list[list[int]], weight: float = 1.0, *, is_distinct: bool = True) -> Group:
    """Examples whose texts are a token each."""
    size = len(texts[0])
    windows = [
        [Window(np.array([101, text, 102]), 3, group_size=size) for text in row] for row in texts
    ]
    return Group(windows, np.array(texts), weight, is_distinct)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60),
    st.integers(1, 6),
)
def test_no_text_stands_twice_in_a_batch_and_no_sample_in_two(
    texts: list[tuple[int, int]], batch_size: int
) -> None:
    rows = np.array(texts)
    batches = without_repeats(np.arange(len(texts)), rows, batch_size)
    for batch in batches:
        assert len(batch) == batch_size
        kept = [set(rows[i].tolist()) for i in batch]
        assert len(set().union(*kept)) == sum(map(len, kept))
    taken = [i for batch in batches for i in batch.tolist()]
    assert len(set(taken)) == len(taken)


def looked_at_one_by_one(texts: list[tuple[int, int]], batch_size: int) -> list[list[int]]:
    """What `without_repeats` gives, in the plainest way."""
    batches: list[list[int]] = []
    waiting = list(range(len(texts)))
    while True:
        members: list[int] = []
        for sample in waiting:
            taken = {text for member in members for text in texts[member]}
            if len(members) < batch_size and taken.isdisjoint(texts[sample]):
                members.append(sample)
        if len(members) < batch_size:
            return batches
        batches.append(members)
        waiting = [sample for sample in waiting if sample not in members]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), min_size=1, max_size=60),
    st.integers(1, 6),
)
def test_a_sample_that_waits_goes_into_the_first_batch_that_it_fits(
    texts: list[tuple[int, int]], batch_size: int
) -> None:
    batches = without_repeats(np.arange(len(texts)), np.array(texts), batch_size)
    assert [batch.tolist() for batch in batches] == looked_at_one_by_one(texts, batch_size)


def test_a_text_of_many_examples_does_not_slow_the_plan_down() -> None:
    """Looking through all that wait for each batch took minutes."""
    number = 60_000
    rows = np.arange(number)
    texts = np.stack([rows, np.where(rows % 2, number, number + 1 + rows)], axis=1)
    before = perf_counter()
    batches = without_repeats(rows, texts, 16)
    assert perf_counter() - before < 10
    assert len(batches) == number // 2 // 15  # one of the many in each


def test_an_epoch_is_planned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    source = PlannedSource([group([[i, 50 + i] for i in range(12)])], batch_size=3)
    num_plans = 0

    def counting(*given: object) -> list[np.ndarray]:
        nonlocal num_plans
        num_plans += 1
        return without_repeats(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(planned, "without_repeats", counting)
    cursor = Cursor()
    for _ in range(8):
        _, _, cursor = take(source, cursor, 3, 7)
    assert cursor == Cursor(2, 0)
    assert num_plans == 2
    with pytest.raises(ValueError, match="read-only"):
        source.ordered(7, 1)[0] = 5


def test_an_epoch_has_every_example_and_the_next_another_order() -> None:
    source = PlannedSource([group([[2 * i, 2 * i + 1] for i in range(12)])], batch_size=4)
    first, second = source.ordered(0, 0), source.ordered(0, 1)
    assert sorted(first) == sorted(second) == list(range(12))
    assert first.tolist() != second.tolist()
    assert source.ordered(0, 0).tolist() == first.tolist()
    assert source.ordered(1, 0).tolist() != first.tolist()


def test_texts_stand_twice_in_a_batch_where_the_loss_takes_none_for_wrong() -> None:
    texts = [[1, 10 + i] for i in range(9)]
    with pytest.raises(DataError, match="of its 9 examples no 4 have texts of their own"):
        PlannedSource([group(texts)], batch_size=4)
    source = PlannedSource([group(texts, is_distinct=False)], batch_size=4)
    assert len(source) == 8
    assert len(set(source.ordered(0, 0).tolist())) == 8
    with pytest.raises(DataError, match="of its 9 examples no 10 are there"):
        PlannedSource([group(texts, is_distinct=False)], batch_size=10)


def test_batches_are_of_one_data_set_and_as_many_as_the_weights_say() -> None:
    some = group([[i, 100 + i] for i in range(40)], weight=3.0)
    others = group([[200 + i, 300 + i, 400 + i] for i in range(40)], weight=1.0)
    source = PlannedSource([some, others], batch_size=4)
    assert len(source) == 80
    batches = source.ordered(0, 0).reshape(-1, 4)
    sets = (batches >= 40).astype(int)
    assert (sets == sets[:, :1]).all()
    assert sets[:, 0].sum() == 5  # of 20, a quarter
    order = sets[:, 0].tolist()
    assert order != sorted(order)
    batch = source.batch(batches[order.index(1)], np.zeros(4, dtype=np.int64))
    assert batch.group_size == 3
    assert batch.labels["data_set"].tolist() == [1] * 4
    assert (
        batch.labels["texts"].view(4, 3).tolist()
        == ((batches[order.index(1)] - 40)[:, None] + np.array([200, 300, 400])).tolist()
    )


def test_the_loader_follows_the_plan_over_epochs() -> None:
    source = PlannedSource([group([[i, 50 + i] for i in range(10)])], batch_size=3)
    assert len(source) == 9
    cursor, seen = Cursor(), []
    for _ in range(6):
        ids, epochs, cursor = take(source, cursor, 3, 7)
        assert len(set(epochs.tolist())) == 1
        seen += ids.tolist()
    assert seen == [*source.ordered(7, 0).tolist(), *source.ordered(7, 1).tolist()]
    assert cursor == Cursor(2, 0)


def test_processes_share_a_batch() -> None:
    source = PlannedSource([group([[i, 50 + i] for i in range(10)])], batch_size=5)
    shares = []
    for rank in range(2):
        (batch,), _ = step_batches(
            source,
            Cursor(),
            batch_size=5,
            micro_batch_tokens=1000,
            seed=0,
            transform=lambda batch, *_: batch,
            rank=rank,
            world_size=2,
        )
        shares.append(batch.sample_ids[::2].tolist())
    whole = source.ordered(0, 0)[:5].tolist()
    assert shares == [whole[::2], whole[1::2]]


def test_too_few_texts_of_their_own_are_told() -> None:
    with pytest.raises(DataError, match=r"data set 1: of its 9 examples no 4 have texts"):
        PlannedSource([group([[i % 3, 9] for i in range(9)])], batch_size=4)


def test_what_waits_for_another_epoch_is_known() -> None:
    some = group([[1, 10 + i] for i in range(3)] + [[i, 50 + i] for i in range(2, 8)])
    others = group([[100 + i, 200 + i] for i in range(10)], is_distinct=False)
    assert PlannedSource([some, others], batch_size=3).shares == [
        Share(num_examples=9, num_whole=9, num_taken=9, is_distinct=True),
        Share(num_examples=10, num_whole=9, num_taken=9, is_distinct=False),
    ]
    hub = group([[1, 10 + i] for i in range(5)] + [[i, 50 + i] for i in range(2, 9)])
    assert PlannedSource([hub], batch_size=4).shares == [Share(12, 8, 8, is_distinct=True)]
    heavy = group([[100 + i, 200 + i] for i in range(10)], weight=2.0)
    assert [share.num_taken for share in PlannedSource([some, heavy], 3).shares] == [6, 12]
