"""Somebody who hears the evaluations of a run while it goes on, and may end it."""

from __future__ import annotations

import math
from collections.abc import Callable

from unmask.train.loop import Log
from unmask.train.state import RunState

Listen = Callable[[int, dict[str, float]], None]
"""Hears the number of an evaluation, from 1, and its scores; an exception ends the run."""


class ListeningLog:
    """A log that passes evaluations on, after they are written."""

    def __init__(self, log: Log, evaluate_every: int, listen: Listen) -> None:
        """`evaluate_every` is in optimizer steps."""
        self._log = log
        self._every = evaluate_every
        self._listen = listen

    def step(self, state: RunState, progress: float, numbers: dict[str, float]) -> None:
        """As the log."""
        self._log.step(state, progress, numbers)

    def evaluation(self, state: RunState, scores: dict[str, float]) -> None:
        """As the log; the number is that of an undisturbed run, wherever this one was resumed."""
        self._log.evaluation(state, scores)
        self._listen(math.ceil(state.global_step / self._every), scores)

    def forget_after(self, state: RunState) -> None:
        """As the log; what was passed on stays known."""
        self._log.forget_after(state)
