"""What a fine-tuning run says in its end, where it lost to what needs no fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmask.recipe.card_figures import measured_on, no_worse

if TYPE_CHECKING:
    from unmask.recipe.outcome import Outcome

_FEW_STEPS = 100
"""Optimizer steps below which a run was hardly long enough to judge anything else by it."""


def verdict(outcome: Outcome, steps: int | None) -> str | None:
    """Which baselines are no worse, and what to try; None if none is.

    `steps` are the run's optimizer steps, None where that is not known.
    """
    better = no_worse(outcome)
    if not better:
        return None
    ordered = sorted(better, key=lambda name: -better[name])
    *others, last = [f"`{name}` ({better[name]:.4f})" for name in ordered]
    named = f"{', '.join(others)} and {last}" if others else last
    own = (outcome.test or outcome.validation)[outcome.metric]
    said = (
        f"warning: {named} {'is' if len(ordered) == 1 else 'are'} no worse than this model: "
        f"{outcome.metric} {own:.4f} on the {measured_on(outcome)} examples."
    )
    if steps is None or steps >= _FEW_STEPS:
        return said
    return (
        f"{said} It learned in {steps} {'step' if steps == 1 else 'steps'} only: more epochs "
        "(--train.epochs) or a smaller batch (--train.batch-size) may help."
    )
