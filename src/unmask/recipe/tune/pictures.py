"""How a search went, and which settings mattered, drawn for a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_DONE, _CUT_SHORT, _BEST = "#1f4e79", "#b0413e", "#9bb8d3"


def history(trials: Sequence[tuple[str, float | None]], metric: str, path: Path) -> None:
    """Writes the score of each trial, and the best so far, as PNG."""
    figure, axes = _figure(4.5)
    best: list[tuple[int, float]] = []
    for number, (state, score) in enumerate(trials, 1):
        if state == "done" and score is not None:
            best.append((number, max(score, best[-1][1]) if best else score))
    axes.step(*zip(*best, strict=True), where="post", color=_BEST, linewidth=1, label="best so far")
    for state, color, marker in (("done", _DONE, "o"), ("cut short", _CUT_SHORT, "x")):
        points = [(n, score) for n, (one, score) in enumerate(trials, 1)
                  if one == state and score is not None]  # fmt: skip
        if points:
            axes.scatter(*zip(*points, strict=True), color=color, marker=marker, s=18, label=state)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("trial")
    axes.set_ylabel(f"{metric} on the validation examples")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


def importance(shares: Mapping[str, float], metric: str, path: Path) -> None:
    """Writes what share of the scores' variance each setting explains as PNG."""
    names = sorted(shares, key=lambda name: shares[name])
    figure, axes = _figure(1.0 + 0.4 * len(names))
    axes.barh(names, [shares[name] for name in names], color=_DONE, height=0.6)
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel(f"share of the variance of {metric} (functional ANOVA)")
    figure.savefig(path, dpi=120)


def _figure(height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
