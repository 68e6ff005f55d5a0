"""The loss of a run, drawn for a file and for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

Point = tuple[float, float]
Rates = tuple[float, float, float]
"""Shares of the tokens that are hidden: in training's beginning and end, and held out. The more are
hidden, the higher the loss, so that two different ones belong beside the curves."""
_FEW_POINTS = 50
"""So many are marked one by one, since a single one gives no line."""
_OFF_THE_SCALE = 5.0
"""Times the unigram entropy; a loss above that flattens all else but on a logarithmic scale."""


def curves(metrics: Sequence[dict[str, Any]]) -> tuple[list[Point], list[Point]]:
    """Training and held-out loss over the vocabulary, as (tokens, nats): of masked tokens, or of
    the next ones where a run predicts these."""
    term = "next" if any("next_loss" in line for line in metrics) else "mlm"
    training, held_out = f"{term}_loss", f"validation_{term}_loss"
    return (
        [(line["tokens"], line[training]) for line in metrics if training in line],
        [(line["tokens"], line[held_out]) for line in metrics if held_out in line],
    )


def draw(
    metrics: Sequence[dict[str, Any]],
    unigram_entropy: float,
    path: Path,
    *,
    rates: Rates | None = None,
) -> None:
    """Writes the loss curve as PNG, with the unigram entropy as the line to stay below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    training, held_out = curves(metrics)
    names = _names(rates)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    marker = "." if len(training) <= _FEW_POINTS else ""
    axes.plot(*_columns(training), color="#9bb8d3", linewidth=1, marker=marker, label=names[0])
    axes.plot(*_columns(held_out), color="#1f4e79", marker="o", markersize=3, label=names[1])
    axes.axhline(
        unigram_entropy, color="#b0413e", linestyle="--", linewidth=1, label="unigram entropy"
    )
    if not training and not held_out:
        axes.text(0.5, 0.4, "no loss was logged", transform=axes.transAxes, ha="center")
    elif max(y for _, y in training + held_out) > _OFF_THE_SCALE * unigram_entropy > 0:
        axes.set_yscale("log")
    axes.set_xlabel("million tokens")
    axes.set_ylabel("language model loss (nats)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


def _names(rates: Rates | None) -> tuple[str, str]:
    """What the two curves are called."""
    if rates is None or len({*rates}) == 1:
        return "training", "held out"
    first, last, held_out = (f"{100 * rate:g}" for rate in rates)
    training = first if first == last else f"{first} to {last}"
    return f"training ({training} % hidden)", f"held out ({held_out} % hidden)"


def _columns(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [x / 1e6 for x, _ in points], [y for _, y in points]


def sketch(
    metrics: Sequence[dict[str, Any]],
    unigram_entropy: float,
    *,
    width: int = 64,
    height: int = 12,
    rates: Rates | None = None,
) -> str:
    """The same curve in characters: · training, ● held out, ─ unigram entropy."""
    training, held_out = curves(metrics)
    points = training + held_out
    if not points:
        return "(no loss was logged)"
    lowest = min(unigram_entropy, *(y for _, y in points))
    highest = max(unigram_entropy, *(y for _, y in points))
    furthest = max(x for x, _ in points)
    rows = [[" "] * width for _ in range(height)]

    def place(x: float, y: float) -> tuple[int, int]:
        row = round((highest - y) / max(1e-9, highest - lowest) * (height - 1))
        return row, round(x / max(1e-9, furthest) * (width - 1))

    rows[place(0.0, unigram_entropy)[0]] = ["─"] * width
    for mark, marked in (("·", training), ("●", held_out)):
        for x, y in marked:
            row, column = place(x, y)
            rows[row][column] = mark
    labels = {
        0: _label(highest),
        place(0.0, unigram_entropy)[0]: _label(unigram_entropy),
        height - 1: _label(lowest),
    }
    lines = [f"{labels.get(i, ''):>6} │{''.join(row)}" for i, row in enumerate(rows)]
    lines.append(f"{'nats':>6} └{'─' * width}")
    first, second = _names(rates)
    lines.append(f"{'':8}· {first}  ● {second}  ─ unigram entropy   ({furthest / 1e6:.2f}M tokens)")
    return "\n".join(lines)


def _label(nats: float) -> str:
    """At most six characters."""
    return f"{nats:.2f}" if nats < 1000 else f"{nats:.0e}"
