"""The texts that a verb is asked about: its arguments, or the lines of standard input."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from unmask.errors import DataError, UsageError

logger = logging.getLogger(__name__)

_LONGEST_NAME = 1024
"""Characters of a file's name that is looked for."""
STANDARD_INPUT = "/dev/stdin"
"""What `-` on the command line stands for."""


def texts_of(arguments: Sequence[str], example: str) -> list[str]:
    """See `each_text`."""
    return list(each_text(arguments, example))


def each_text(arguments: Sequence[str], example: str) -> Iterator[str]:
    """As `each_numbered`, without the numbers."""
    return (text for _, text in each_numbered(arguments, example))


def each_numbered(arguments: Sequence[str], example: str) -> Iterator[tuple[int, str]]:
    """The arguments, standard input being each of its lines; it is also read where there are none.

    Counted from 1, lines as in standard input, of which blank ones are left out and told of in
    the end. Lines are taken as they come, none is waited for twice. An argument that is a file's
    name is a text too, and a warning.

    Raises:
        UsageError: No text at all.
        DataError: Standard input is not UTF-8.
    """
    if not arguments and sys.stdin is not None and not sys.stdin.isatty():
        arguments = [STANDARD_INPUT]
    number = 0
    for argument in arguments:
        if argument == STANDARD_INPUT:
            before = number
            for line, text in _lines():
                number = before + line
                yield number, text
        else:
            number += 1
            _warn_of_file(argument)
            yield number, argument
    if not number:
        raise UsageError(
            f'no text was given; write it in quotes: "{example}", before flags that take several '
            "words, or pipe in one text per line."
        )


def _warn_of_file(text: str) -> None:
    try:
        is_file = len(text) < _LONGEST_NAME and Path(text).is_file()
    except (OSError, ValueError):  # no name that a file could have
        return
    if is_file:
        logger.warning(
            "%s: is a file, but was taken for a text as it stands here; what is in it is read by "
            "`< %s`, and by --input where there is such a flag.",
            text,
            text,
        )


def _lines() -> Iterator[tuple[int, str]]:
    """The number and the text of each line that has one."""
    num_blank = 0
    for number, given in enumerate(sys.stdin.buffer, 1):
        try:
            line = given.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(
                f"standard input:{number}: byte 0x{given[error.start]:02x} is not UTF-8; convert "
                "it first, for instance by `iconv -f latin1 -t utf-8`."
            ) from error
        if line.strip():
            yield number, line
        else:
            num_blank += 1
    if num_blank:
        logger.warning("standard input: %d blank line(s) left out.", num_blank)
