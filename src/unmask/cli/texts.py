"""The texts that a verb is asked about: its arguments, or the lines of standard input."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from unmask.errors import DataError, UsageError

STANDARD_INPUT = "/dev/stdin"
"""What `-` on the command line stands for."""


def texts_of(arguments: Sequence[str], example: str) -> list[str]:
    """The arguments, standard input being each of its lines; it is also read where there are none.

    Blank lines are left out.

    Raises:
        UsageError: No text at all.
        DataError: Standard input is not UTF-8.
    """
    if not arguments and sys.stdin is not None and not sys.stdin.isatty():
        arguments = [STANDARD_INPUT]
    texts: list[str] = []
    for argument in arguments:
        texts += _lines() if argument == STANDARD_INPUT else [argument]
    if not texts:
        raise UsageError(
            f'no text was given; write it in quotes: "{example}", before flags that take several '
            "words, or pipe in one text per line."
        )
    return texts


def _lines() -> list[str]:
    given = sys.stdin.buffer.read()
    try:
        lines = given.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        line = given.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"standard input:{line}: byte 0x{given[error.start]:02x} is not UTF-8; convert it "
            "first, for instance by `iconv -f latin1 -t utf-8`."
        ) from error
    return [line.rstrip("\r") for line in lines if line.strip()]
