"""The loss of a run, drawn for a file and for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

Point = tuple[float, float]


def curves(metrics: Sequence[dict[str, Any]]) -> tuple[list[Point], list[Point]]:
    """Training and held-out masked language model loss, as (tokens, nats)."""
    return (
        [(line["tokens"], line["mlm_loss"]) for line in metrics if "mlm_loss" in line],
        [
            (line["tokens"], line["validation_mlm_loss"])
            for line in metrics
            if "validation_mlm_loss" in line
        ],
    )


def draw(metrics: Sequence[dict[str, Any]], unigram_entropy: float, path: Path) -> None:
    """Writes the loss curve as PNG, with the unigram entropy as the line to stay below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    training, held_out = curves(metrics)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(*_columns(training), color="#9bb8d3", linewidth=1, label="training")
    axes.plot(*_columns(held_out), color="#1f4e79", marker="o", markersize=3, label="held out")
    axes.axhline(
        unigram_entropy, color="#b0413e", linestyle="--", linewidth=1, label="unigram entropy"
    )
    axes.set_xlabel("million tokens")
    axes.set_ylabel("masked language model loss (nats)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


def _columns(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [x / 1e6 for x, _ in points], [y for _, y in points]


def sketch(
    metrics: Sequence[dict[str, Any]],
    unigram_entropy: float,
    *,
    width: int = 64,
    height: int = 12,
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
        0: f"{highest:.2f}",
        place(0.0, unigram_entropy)[0]: f"{unigram_entropy:.2f}",
        height - 1: f"{lowest:.2f}",
    }
    lines = [f"{labels.get(i, ''):>6} │{''.join(row)}" for i, row in enumerate(rows)]
    lines.append(f"{'nats':>6} └{'─' * width}")
    lines.append(
        f"{'':8}· training  ● held out  ─ unigram entropy   ({furthest / 1e6:.2f}M tokens)"
    )
    return "\n".join(lines)
