"""Which column is what: as set, or recognised by the names that published data sets use."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from unmask.data.labelled.config import Column, Columns
from unmask.data.labelled.tables import Table
from unmask.errors import DataError, UsageError

PAIRS = (
    ("text", "text_pair"),
    ("sentence1", "sentence2"),  # RTE, STS-B, WNLI, MNLI, SNLI
    ("premise", "hypothesis"),
    ("question1", "question2"),  # QQP
    ("question", "sentence"),  # QNLI
    ("question", "passage"),  # BoolQ
    ("#1 string", "#2 string"),  # MRPC
    ("text_a", "text_b"),
    ("text1", "text2"),
)
"""First and second text, recognised where both are there, in lower case; the first that fits."""
TEXTS = (
    "text",
    "sentence",
    "sentence1",
    "premise",
    "question",
    "review",
    "content",
    "tweet",
    "comment_text",
    "comment",
    "document",
    "message",
    "headline",
)
LABELS = (
    "gold_label",
    "label",
    "labels",
    "class",
    "category",
    "target",
    "quality",  # MRPC
    "is_duplicate",  # QQP
    "sentiment",
    "intent",
    "topic",
    "score",  # STS-B
    "similarity_score",
    "rating",
)
IDS = ("id", "idx", "index", "guid", "pairid")
GROUPS = ("group",)
_KNOWN = frozenset((*TEXTS, *LABELS, *IDS, *GROUPS, *(name for pair in PAIRS for name in pair)))


def is_header(
    cells: Sequence[str],
    following: Sequence[Sequence[str]],
    columns: Columns,
    known: Sequence[str] = (),
) -> bool:
    """Whether a first row names columns: one of its cells is set or known as such a name.

    A known name that comes again in its column, in the rows that follow, is a value there: the
    labels of a data set may be called `question`. `known` are further names.
    """
    names: set[str] = set()
    for setting in columns.model_dump().values():
        several = setting if isinstance(setting, tuple) else (setting,)
        # Digits are a column's number more often than its name, and a row may well hold them.
        names |= {n for n in several if isinstance(n, str) and n and not n.isdecimal()}
    if not names.isdisjoint(cells):
        return True
    found = [i for i, cell in enumerate(cells) if cell.strip().lower() in {*_KNOWN, *known}]
    return any(all(i >= len(row) or row[i] != cells[i] for row in following) for i in found)


def position(table: Table, column: Column) -> int | None:
    """The number of the column that a setting names; None for the empty name.

    Raises:
        DataError: No such column, or several.
    """
    names = table.names
    if column == "":
        return None
    if isinstance(column, str) and names.count(column) == 1 and table.has_names:
        return names.index(column)
    if isinstance(column, str) and names.count(column) > 1:
        raise DataError(f"{table.source}:1: several columns `{column}`; name it by its number.")
    if isinstance(column, int) or column.isdecimal():
        number = int(column)
        if 0 <= number < len(names):
            return number
        raise DataError(
            f"{table.source}: no column number {number}; found {len(names)}, counted from 0."
        )
    if not table.has_names:
        raise DataError(
            f"{table.source}:1: no column `{column}`, for the first line is not a header; expected "
            f"a number from 0 to {len(names) - 1} (or set --data.header yes)."
        )
    near = difflib.get_close_matches(column, names, 1)
    hint = f" Did you mean `{near[0]}`?" if near else " Name one of these."
    raise DataError(f"{table.source}: no column `{column}`; found {shown(table)}.{hint}")


def recognised(table: Table, known: Sequence[str]) -> int | None:
    """The number of the first known name's column, whatever its case; None if there is none.

    Raises:
        DataError: Several columns of that name.
    """
    if not table.has_names:
        return None
    names = [name.lower() for name in table.names]
    for name in known:
        if names.count(name) > 1:
            raise DataError(f"{table.source}:1: several columns `{name}`; name it by its number.")
        if name in names:
            return names.index(name)
    return None


def find(table: Table, setting: Column | None, known: Sequence[str]) -> int | None:
    """The column that is set, else the one that is recognised, else None.

    Raises:
        DataError: The one that is set is not there.
    """
    return recognised(table, known) if setting is None else position(table, setting)


def required(table: Table, setting: Column | None, known: Sequence[str], name: str) -> int:
    """As `find`, of a column that has to be there; `name` is its setting.

    Raises:
        DataError: There is none.
    """
    found = find(table, setting, known)
    if found is None:
        raise missing(table, name, known)
    return found


def only(setting: tuple[Column, ...] | None, name: str) -> Column | None:
    """The one column of a setting that elsewhere may have several.

    Raises:
        UsageError: There are several.
    """
    if setting is not None and len(setting) > 1:
        raise UsageError(f"--data.columns.{name}: has {len(setting)} columns; this task reads one.")
    return setting[0] if setting else None


def positions(table: Table, several: Sequence[Column]) -> tuple[int, ...]:
    """The numbers of the columns that are named, without the empty name.

    Raises:
        DataError: As `position`.
    """
    found = (position(table, column) for column in several)
    return tuple(number for number in found if number is not None)


def several(
    table: Table,
    setting: tuple[Column, ...] | None,
    known: Sequence[str],
    name: str,
) -> tuple[int, ...]:
    """As `required`, where also several columns may be set, to be joined.

    Raises:
        DataError: There is none.
    """
    return positions(table, setting or ()) or (required(table, None, known, name),)


def missing(table: Table, name: str, known: Sequence[str]) -> DataError:
    """The error of a table without a column that has to be there."""
    if table.has_names:
        found = f"none of its columns ({shown(table)}) is known as {name}"
        expected = f"expected {', '.join(known[:6])}"
    else:
        cells = ", ".join(f"{i}: {str(cell)[:30]!r}" for i, cell in enumerate(table.first))
        found = f"has no header, and {len(table.names)} columns ({cells})"
        expected = f"cannot tell which is {name}"
    return DataError(
        f"{table.source}:1: {found}; {expected}. Set --data.columns.{name} to a name, or to a "
        "number from 0."
    )


def shown(table: Table) -> str:
    """The columns' names, for a message."""
    more = ", ..." if len(table.names) > 20 else ""
    return (", ".join(f"`{name}`" for name in table.names[:20]) or "none") + more
