"""Charts of figures, as PNG; what they are figures of, `pictures` knows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.tasks.metrics.calibration import Reliability

LIGHT, DARK, RED, GREY = "#9bb8d3", "#1f4e79", "#b0413e", "#8a8a8a"
MOST_CLASSES = 30
"""Shown in a confusion matrix; the others share a row and a column."""
OTHERS = "(others)"

_DPI = 120
_HALF_A_NAME = 14
"""Letters kept at each end of a longer name."""
_FEW = 12
"""Classes whose cells have room for large print."""
_FEW_POINTS = 50
"""So many losses are marked one by one, since a single one gives no line."""
_ABOVE = 1.06
"""Times the highest loss, so that it does not lie on the edge."""


@dataclass(frozen=True)
class Bar:
    """One of several groups of examples."""

    name: str
    value: float
    """In 0..1."""
    count: int
    """Examples in the group."""


def confusion(counts: NDArray[np.int64], names: Sequence[str], unit: str, path: Path) -> None:
    """(K, K) counts, given labels down and predicted ones across, with each row's shares.

    `unit` says what is counted. Of many classes the most frequent given ones are shown.
    """
    counts, shown = most_frequent(counts, names)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    num_classes = len(shown)
    cell, size = (0.75, 9.0) if num_classes <= _FEW else (0.5, 6.5)
    margin = 1.2 + 0.085 * max(map(len, shown))
    side = max(3.2, cell * num_classes) + margin
    figure, axes = _figure(side, side)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for row, column in zip(*np.nonzero(counts), strict=True):
        share = shares[row, column]
        axes.text(
            column,
            row,
            f"{100 * share:.0f} %\n{counts[row, column]:,}",
            ha="center",
            va="center",
            fontsize=size,
            color="white" if share > 0.6 else "black",
        )
    places = range(num_classes)
    axes.set_xticks(places, shown, rotation=90, parse_math=False)
    axes.set_yticks(places, shown, parse_math=False)
    of_all = f", the {MOST_CLASSES} most frequent of {len(names)} labels"
    title = f"{counts.sum():,} {unit}{of_all if len(names) > MOST_CLASSES else ''}"
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("predicted")
    axes.set_ylabel("given (rows are 100 %)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    _save(figure, path)


def most_frequent(
    counts: NDArray[np.int64], names: Sequence[str]
) -> tuple[NDArray[np.int64], list[str]]:
    """The counts of at most `MOST_CLASSES` classes in their order, the rest added up behind them.

    >>> most_frequent(np.eye(2, dtype=int), ["no", "yes"])[1]
    ['no', 'yes']
    """
    short = [_shortened(name) for name in names]
    if len(names) <= MOST_CLASSES:
        return counts, short
    kept = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[:MOST_CLASSES])
    places = np.full(len(names), MOST_CLASSES)
    places[kept] = np.arange(MOST_CLASSES)
    merged = np.zeros((MOST_CLASSES + 1, MOST_CLASSES + 1), dtype=np.int64)
    np.add.at(merged, (places[:, None], places[None]), counts)
    return merged, [*(short[i] for i in kept), OTHERS]


def _shortened(name: str) -> str:
    half = _HALF_A_NAME
    return name if len(name) <= 2 * half + 1 else f"{name[:half]}…{name[-half:]}"


def reliability(found: Reliability, unit: str, path: Path) -> None:
    """How often answers are right, by how sure they are, and how many are how sure."""
    figure, axes = _figure(5.5, 6.5)
    figure.delaxes(axes)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    middles, width = (found.edges[:-1] + found.edges[1:]) / 2, np.diff(found.edges)
    there = found.count > 0
    upper.bar(
        middles[there], found.accuracy[there], width[there], color=LIGHT, edgecolor="white",
        label="share that is right",
    )  # fmt: skip
    upper.plot(
        found.confidence[there], found.accuracy[there], "o", color=DARK, markersize=4,
        label="at the mean probability",
    )  # fmt: skip
    upper.plot([0, 1], [0, 1], color=RED, linestyle="--", linewidth=1, label="as it should be")
    error = found.expected_calibration_error
    upper.set_title(f"expected calibration error {error:.3f}, {len(found.count)} bins", fontsize=10)
    upper.set_ylabel("share that is right")
    upper.set_ylim(0, 1.02)
    upper.legend(frameon=False, loc="upper left", fontsize=8)
    bars = lower.bar(middles, found.count, width, color=GREY, edgecolor="white")
    lower.bar_label(bars, [f"{n:,}" if n else "" for n in found.count.tolist()], fontsize=7)
    lower.margins(y=0.2)
    lower.set_ylabel(unit)
    lower.set_xlabel("probability of the answer")
    lower.set_xlim(0, 1)
    for one in (upper, lower):
        one.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def scatter(given: NDArray[Any], predicted: NDArray[Any], path: Path) -> None:
    """Predicted numbers against the given ones."""
    figure, axes = _figure(5.5, 5.5)
    low = float(min(given.min(), predicted.min()))
    high = float(max(given.max(), predicted.max()))
    axes.plot([low, high], [low, high], color=RED, linestyle="--", linewidth=1)
    alpha = float(np.clip(200 / len(given), 0.25, 0.8))
    axes.scatter(given, predicted, s=12, color=DARK, alpha=alpha, linewidths=0)
    axes.set_aspect("equal")
    axes.set_title(f"{len(given):,} examples", fontsize=10)
    axes.set_xlabel("given")
    axes.set_ylabel("predicted")
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def bars(panels: Sequence[tuple[str, Sequence[Bar]]], measure: str, path: Path) -> None:
    """A measure in 0..1 by groups of examples; each panel has a title and its own groups."""
    tallest = max(len(groups) for _, groups in panels)
    figure, axes = _figure(4.2 * len(panels), 1.4 + 0.34 * tallest)
    figure.delaxes(axes)
    for axes, (title, groups) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        names = [f"{group.name} ({group.count:,})" for group in groups]
        drawn = axes.barh(range(len(groups)), [g.value for g in groups], color=LIGHT)
        axes.bar_label(drawn, [f"{group.value:.2f}" for group in groups], padding=3, fontsize=8)
        axes.set_yticks(range(len(groups)), names, parse_math=False)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.12)
        axes.set_xlabel(measure)
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def curves(
    losses: dict[str, list[tuple[int, float]]],
    scores: list[tuple[int, float]],
    metric: str,
    path: Path,
) -> None:
    """Training losses by name, and the validation score, as (step, value); the best is marked."""
    figure, axes = _figure(8, 4.5)
    for (name, points), color in zip(losses.items(), (LIGHT, GREY, RED, DARK), strict=False):
        marker = "o" if len(points) <= _FEW_POINTS else ""
        axes.plot(
            *zip(*points, strict=True), color=color, linewidth=1, marker=marker, markersize=4,
            label=f"training {name}",
        )  # fmt: skip
    axes.set_xlabel("step")
    axes.set_ylabel("training loss")
    highest = max((loss for points in losses.values() for _, loss in points), default=0.0)
    axes.set_ylim(0, _ABOVE * highest or None)
    axes.spines[["top"]].set_visible(False)
    handles = axes.get_lines()
    if scores:
        right = axes.twinx()
        right.plot(
            *zip(*scores, strict=True),
            color=DARK,
            marker="o",
            markersize=4,
            label=f"validation {metric}",
        )
        step, best = max(scores, key=lambda point: (point[1], -point[0]))
        text = f"best {best:.4f} at step {step:,}"
        right.plot([step], [best], "o", color=RED, markersize=7, label=text, linestyle="none")
        right.set_ylabel(f"validation {metric}")
        right.spines[["top"]].set_visible(False)
        handles += right.get_lines()
    figure.legend(handles=handles, frameon=False, loc="outside upper center", ncols=3, fontsize=9)
    _save(figure, path)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _save(figure: Any, path: Path) -> None:
    with warnings.catch_warnings():
        # Names in a script that the font lacks are drawn as boxes; that is no news to anybody.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(path, dpi=_DPI)
