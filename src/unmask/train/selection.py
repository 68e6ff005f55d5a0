"""Which of a run's weights are the best, and when a better score is waited for no more."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from unmask.train.state import RunState


@dataclass(frozen=True)
class Selection:
    """By which score the best weights are chosen, and how long a better one is waited for."""

    metric: str
    """One of the scores that `measure` gives; higher is better."""
    patience: int | None = None
    """Evaluations without a better score after which training ends; None goes to the end."""


def chosen(
    state: RunState,
    scores: dict[str, float],
    selection: Selection | None,
    keep: Callable[[RunState], None],
) -> bool:
    """Keeps the weights if they are the best so far; whether that was waited for long enough."""
    if selection is None:
        return False
    # A score of a label that was never given, such as its precision, is not there at all.
    score = scores.get(selection.metric, -math.inf)
    if state.best_score is None or score > state.best_score:
        state.best_score, state.best_step, state.evaluations_since_best = (
            score,
            state.global_step,
            0,
        )
        keep(state)
    else:
        state.evaluations_since_best += 1
    return waited_enough(state, selection)


def waited_enough(state: RunState, selection: Selection | None) -> bool:
    """Whether a better score is waited for no more."""
    patience = None if selection is None else selection.patience
    return patience is not None and state.evaluations_since_best >= patience
