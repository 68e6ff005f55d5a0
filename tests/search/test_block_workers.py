from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from unmask.search.block_workers import in_order


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_results_come_in_order_whatever_takes_longest() -> None:
    def work(place: int) -> int:
        time.sleep(0.02 if place % 3 == 0 else 0.0)
        return place * place

    assert list(in_order(work, range(20))) == [place * place for place in range(20)]


@pytest.mark.usefixtures("two_threads")
def test_each_thread_computes_alone_and_the_caller_as_before() -> None:
    seen = set(in_order(lambda _: (threading.get_ident(), torch.get_num_threads()), range(50)))

    assert {number for _, number in seen} == {1}
    assert threading.get_ident() not in {thread for thread, _ in seen}
    assert torch.get_num_threads() == 2
    assert list(in_order(lambda _: torch.get_num_threads(), [0])) == [1]
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [2]


@pytest.mark.usefixtures("two_threads")
def test_only_a_few_results_are_made_before_they_are_asked_for() -> None:
    begun: list[int] = []

    results = in_order(begun.append, range(100), ahead=1)
    next(results)
    time.sleep(0.05)

    assert len(begun) == 4
    results.close()  # type: ignore[attr-defined]
    assert len(begun) == 4


def test_an_error_in_a_thread_is_the_callers() -> None:
    def work(place: int) -> int:
        return 1 // (3 - place)

    results = in_order(work, range(9))
    assert [next(results), next(results), next(results)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_no_place_gives_no_result() -> None:
    assert list(in_order(lambda place: place, [])) == []
