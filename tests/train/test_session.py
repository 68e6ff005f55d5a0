from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from unmask.train.session import Clock, listening
from unmask.train.state import RunState


def test_the_clock_goes_on_from_what_earlier_sessions_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = SimpleNamespace(wall=1000.0, cpu=5.0)
    clocks = SimpleNamespace(monotonic=lambda: now.wall, process_time=lambda: now.cpu)
    monkeypatch.setattr("unmask.train.session.time", clocks)
    clock = Clock(RunState(seconds=60.0, cpu_seconds=50.0))

    now.wall, now.cpu = 1003.0, 7.0

    assert (clock.seconds(), clock.cpu_seconds()) == (63.0, 52.0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_asks_and_a_second_one_ends(number: int) -> None:
    before = signal.getsignal(number)

    with listening() as asked_to_stop:
        assert not asked_to_stop()
        signal.raise_signal(number)
        assert asked_to_stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)

    assert signal.getsignal(number) is before


def test_a_thread_hears_no_signal() -> None:
    def run() -> bool:
        with listening() as asked_to_stop:
            return asked_to_stop()

    with ThreadPoolExecutor() as pool:
        assert pool.submit(run).result() is False
