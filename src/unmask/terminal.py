"""Tables and progress for people: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

Tell = Callable[[int, int, str], None]
"""Bytes done, bytes in all, and what to say beside the bar."""


@contextmanager
def progress(doing: str) -> Iterator[Tell]:
    """A bar with rate and time left on stderr; nothing where stderr is no terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn(doing),
        BarColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[beside]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, total=None, beside="")
        yield lambda done, total, beside: bar.update(
            task, completed=done, total=total, beside=beside
        )


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows of cells under a header, the cells but the first to the right."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number else "left", no_wrap=number == 0)
    for cells in rows:
        table.add_row(*map(escape, cells))
    Console().print(table)


def show(document: Any, rows: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    """Prints `document` as one line of JSON, or `rows` as a table of names and values."""
    if as_json:
        print(json.dumps(document, ensure_ascii=False))
        return
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(escape(name), escape(value))  # a path may hold what looks like markup
    Console().print(table)


def figure(value: float, decimals: int = 4) -> str:
    """With so many decimals, or by its power of ten where it is huge, as perplexities may be."""
    return f"{value:,.{decimals}f}" if abs(value) < 1e6 else f"{value:.{decimals}e}"


def counted(number: int, one: str, many: str) -> str:
    """A number of things."""
    return f"{number:,} {one if number == 1 else many}"
