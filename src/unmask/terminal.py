"""Tables and progress for people: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
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


def show(document: Any, rows: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    """Prints `document` as one line of JSON, or `rows` as a table of names and values."""
    if as_json:
        print(json.dumps(document, ensure_ascii=False))
        return
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)
