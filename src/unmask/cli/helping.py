"""How the help of a verb is laid out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cyclopts.help import (
    AsteriskRenderer,
    ColumnSpec,
    DefaultFormatter,
    DescriptionRenderer,
    HelpEntry,
    NameRenderer,
)

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

_NAMES_SHARE = 0.35
"""Of the width, for the flags, where none needs more."""


def _columns(
    console: Console, options: ConsoleOptions, entries: list[HelpEntry]
) -> tuple[ColumnSpec, ...]:
    """As cyclopts' own, but no flag is broken in two, so that every one can be copied."""
    del options  # whose width is the console's
    labels = [label for entry in entries for label in entry.display_labels]
    width = max([math.ceil(console.width * _NAMES_SHARE), *(len(label) + 2 for label in labels)])
    mark = ColumnSpec(renderer=AsteriskRenderer(), style="cyclopts.required_marker", max_width=1)
    names = ColumnSpec(
        renderer=NameRenderer(max_width=width), style="cyclopts.name", max_width=width
    )
    description = ColumnSpec(renderer=DescriptionRenderer(), overflow="fold")
    has_mark = any(entry.required for entry in entries)
    return (mark, names, description) if has_mark else (names, description)


HELP = DefaultFormatter(column_specs=_columns)
