"""Figures and tables as Markdown has them."""

from __future__ import annotations

from typing import Any

Figures = dict[str, Any]


def thousands(spread: Figures) -> str:
    return f"{spread['median']:,.0f} ({spread['min']:,.0f} to {spread['max']:,.0f})"


def digits(spread: Figures, places: int = 2) -> str:
    return (
        f"{spread['median']:.{places}f} ({spread['min']:.{places}f} to {spread['max']:.{places}f})"
    )


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
