"""Results as files of rows that our readers, and other tools, read."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from unmask.data.whole_file import whole_file
from unmask.errors import UsageError

ENDINGS = (".jsonl", ".csv")
TEXTS_ALONE = ".txt"
Row = Mapping[str, Any]


def check_ending(output: Path, *, texts_alone: bool = False) -> None:
    """Refuses a name that says no form, before any work.

    Raises:
        UsageError: It does.
    """
    endings = (*ENDINGS, TEXTS_ALONE) if texts_alone else ENDINGS
    if output.suffix.lower() not in endings:
        raise UsageError(f"--output {output}: expected a name that ends in {' or '.join(endings)}.")


def write_rows(output: Path, rows: Iterable[Row]) -> int:
    """Writes rows to `output`, which appears when it is whole; returns their number.

    `.jsonl` has an object a line; `.csv` the columns of the first row, quoted where needed, and
    lists as JSON; `.txt` the texts alone, one a line.

    Raises:
        UsageError: A text of several lines is to be one line.
        DataError: A text that UTF-8 cannot hold.
        MachineError: The file cannot be written.
    """
    write = {".jsonl": _json_lines, ".csv": _table, TEXTS_ALONE: _texts}[output.suffix.lower()]
    with whole_file(output) as file:
        return write(file, rows)


def _json_lines(file: TextIO, rows: Iterable[Row]) -> int:
    total = 0
    for row in rows:
        file.write(f"{json.dumps(row, ensure_ascii=False)}\n")
        total += 1
    return total


def _table(file: TextIO, rows: Iterable[Row]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    total = 0
    for row in rows:
        if not total:
            writer.writerow(row)
        writer.writerow(
            json.dumps(cell, ensure_ascii=False) if isinstance(cell, list | tuple) else cell
            for cell in row.values()
        )
        total += 1
    return total


def _texts(file: TextIO, rows: Iterable[Row]) -> int:
    total = 0
    for row in rows:
        text = row["text"]
        if "\n" in text or "\r" in text:
            raise UsageError(
                f"text {row['id']}: has several lines, and {TEXTS_ALONE} holds one text a line; "
                "give --output a name that ends in .jsonl."
            )
        file.write(f"{text}\n")
        total += 1
    return total
