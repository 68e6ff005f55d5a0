"""Work on blocks by several threads, each of which computes alone, given in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Place = TypeVar("Place")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Place], Result], places: Iterable[Place], ahead: int = 1
) -> Iterator[Result]:
    """The result of each place, in order, of which few are ready before they are asked for.

    Each of torch's threads takes a block by itself, instead of all of them a part of each block:
    blocks are so small that their threads would mostly wait for each other, and many times longer
    when another program has one of the cores. `work` has to be numpy's and torch's, which let other
    threads run.

    Args:
        work: What is done for a place, in any thread.
        places: Where.
        ahead: Results that may wait, beside one for each thread.
    """
    num_threads = torch.get_num_threads()
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(num_threads) as pool:
        _let_each_compute_alone(pool, num_threads)
        try:
            for place in places:
                waiting.append(pool.submit(work, place))
                if len(waiting) > num_threads + ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _let_each_compute_alone(pool: ThreadPoolExecutor, num_threads: int) -> None:
    """Gives the threads of a pool one thread of torch each; the caller keeps its own."""
    all_there = threading.Barrier(num_threads + 1)

    def begin() -> None:
        torch.get_num_threads()  # what is asked first takes the usual number, and would do so later
        torch.set_num_threads(1)
        all_there.wait()

    for _ in range(num_threads):
        pool.submit(begin)
    all_there.wait()
    # The number is each thread's own, but the last one that was set is what new threads begin with.
    torch.set_num_threads(num_threads)
