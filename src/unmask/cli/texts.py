"""The texts that a verb is asked about: its arguments, or the lines of standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from unmask.errors import DataError, UsageError

STANDARD_INPUT = "/dev/stdin"
"""What `-` on the command line stands for."""


def texts_of(arguments: Sequence[str], example: str) -> list[str]:
    """See `each_text`."""
    return list(each_text(arguments, example))


def each_text(arguments: Sequence[str], example: str) -> Iterator[str]:
    """The arguments, standard input being each of its lines; it is also read where there are none.

    Blank lines are left out. Lines are taken as they come, none is waited for twice.

    Raises:
        UsageError: No text at all.
        DataError: Standard input is not UTF-8.
    """
    if not arguments and sys.stdin is not None and not sys.stdin.isatty():
        arguments = [STANDARD_INPUT]
    found = False
    for argument in arguments:
        for text in _lines() if argument == STANDARD_INPUT else [argument]:
            found = True
            yield text
    if not found:
        raise UsageError(
            f'no text was given; write it in quotes: "{example}", before flags that take several '
            "words, or pipe in one text per line."
        )


def _lines() -> Iterator[str]:
    for number, given in enumerate(sys.stdin.buffer, 1):
        try:
            line = given.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(
                f"standard input:{number}: byte 0x{given[error.start]:02x} is not UTF-8; convert "
                "it first, for instance by `iconv -f latin1 -t utf-8`."
            ) from error
        if line.strip():
            yield line
