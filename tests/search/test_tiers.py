from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from unmask.search.folder.tiers import cut, groups_of

SIZES = st.lists(st.integers(1, 100), min_size=1, max_size=40)


def put_together(sizes: list[int], groups: list[range]) -> list[int]:
    kept = {group.start: sum(sizes[i] for i in group) for group in groups}
    gone = {i for group in groups for i in group} - kept.keys()
    return [kept.get(i, size) for i, size in enumerate(sizes) if i not in gone]


@given(SIZES)
def test_sizes_double_from_new_to_old(sizes: list[int]) -> None:
    after = put_together(sizes, groups_of(sizes))

    assert sum(after) == sum(sizes)
    assert all(size > sum(after[i + 1 :]) for i, size in enumerate(after))
    assert groups_of(after) == []


@given(SIZES, st.integers(10, 200))
def test_nothing_grows_past_the_most(sizes: list[int], most: int) -> None:
    for groups in (groups_of(sizes, most), cut(sizes, 0, most)):
        assert all(sum(sizes[i] for i in group) <= most for group in groups)


def test_adding_one_by_one_copies_each_about_as_often_as_the_index_doubles() -> None:
    sizes: list[int] = []
    copied = 0
    for _ in range(1000):
        sizes.append(1)
        groups = groups_of(sizes)
        copied += sum(sizes[i] for group in groups for i in group)
        sizes = put_together(sizes, groups)

    assert copied <= 1000 * 10  # log2(1000)
    assert len(sizes) <= 10


def test_what_is_as_large_as_may_be_is_not_copied_again() -> None:
    assert groups_of([458_752, 458_752, 1]) == []

    sizes: list[int] = []
    copied = 0
    for _ in range(5000):
        sizes.append(1)
        groups = groups_of(sizes, 100)
        copied += sum(sizes[i] for group in groups for i in group)
        sizes = put_together(sizes, groups)

    assert copied <= 5000 * 7  # log2(100)
    assert len(sizes) <= 5000 / 50 + 7


@given(SIZES, st.integers(10, 200))
def test_what_was_put_together_stays_so(sizes: list[int], most: int) -> None:
    after = put_together(sizes, groups_of(sizes, most))

    assert groups_of(after, most) == []
