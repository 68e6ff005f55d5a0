"""How the figures of a fine-tuned model are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmask.terminal import counted, show, show_table

if TYPE_CHECKING:
    from unmask.recipe.assessment import Assessment
    from unmask.recipe.outcome import Outcome

_HIDDEN = ("_weighted", "_micro", "_thresh", "total", "support")
"""Endings of the names of figures that only files and `--json` hold."""


def show_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Validation and test scores side by side, none of single labels; then the baselines."""
    if as_json:
        show(outcome.as_dict(), [], as_json=True)
        return
    names = [name for name in outcome.validation if "/" not in name and _is_shown(name)]
    columns = _columns(outcome)
    rows = [
        (
            f"{name} *" if name == outcome.metric else name,
            *(cells.get(name, "") for cells in columns.values()),
        )
        for name in dict.fromkeys([outcome.metric, *names])
    ]
    show_table(["score", *columns], rows)
    print("* the best weights were chosen by this score on the validation examples")
    if outcome.baselines:
        _show_baselines(outcome)
    print(f"model: {outcome.folder}")


def _columns(outcome: Outcome) -> dict[str, dict[str, str]]:
    """The cells by the name of the score, under the headings."""
    columns = {"validation": _figures(outcome.validation)}
    if outcome.test is not None:
        columns["test"] = _figures(outcome.test)
    if outcome.spread is not None:
        columns["spread over seeds"] = _figures(outcome.spread)
    if outcome.intervals:
        intervals = outcome.intervals.items()
        columns["95 % interval of test"] = {name: _interval(ends) for name, ends in intervals}
    return columns


def _figures(scores: dict[str, float]) -> dict[str, str]:
    return {name: f"{value:.4f}" for name, value in scores.items()}


def _show_baselines(outcome: Outcome) -> None:
    """By the run's own score alone: all their scores side by side are wider than a terminal."""
    measured_on = "validation" if outcome.test is None else "test"
    rows = [
        (name, _figures(scores).get(outcome.metric, ""))
        for name, scores in outcome.baselines.items()
    ]
    show_table(["without fine-tuning", f"{outcome.metric} ({measured_on})"], rows)


def show_assessment(found: Assessment, *, as_json: bool) -> None:
    """The scores on a file, those of single labels too, with an interval where there is one."""
    if as_json:
        show(found.as_dict(), [], as_json=True)
        return
    rows = [
        (name, f"{value:.4f}", _interval(found.intervals.get(name)))
        for name, value in found.scores.items()
        if _is_shown(name)
    ]
    show_table(("score", counted(found.num_examples, "example", "examples"), "95 % interval"), rows)


def _is_shown(name: str) -> bool:
    return not name.partition("/")[0].endswith(_HIDDEN)  # after it a label or kind of question


def _interval(ends: tuple[float, float] | None) -> str:
    """In words, for a correlation may be below zero."""
    return "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"
