"""The process around a run: the time it has used, and the signals that ask it to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from unmask.train.state import RunState


class Clock:
    """Time used by the run, what earlier sessions used included."""

    def __init__(self, state: RunState) -> None:
        self._wall = time.monotonic() - state.seconds
        self._cpu = time.process_time() - state.cpu_seconds

    def seconds(self) -> float:
        """Wall-clock time of the run so far."""
        return time.monotonic() - self._wall

    def cpu_seconds(self) -> float:
        """Processor time of the run so far, of this process."""
        return time.process_time() - self._cpu


@contextmanager
def listening() -> Iterator[Callable[[], bool]]:
    """Tells whether SIGTERM or SIGINT came; the second one ends the process at once."""
    came: list[int] = []

    def hear(number: int, _: FrameType | None) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # only the main thread may hear signals
        return
    previous = {number: signal.signal(number, hear) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
