"""The words of a command line: what is refused before any verb, and how mistakes are told."""

from __future__ import annotations

from collections.abc import Sequence

from cyclopts.exceptions import CycloptsError, MissingArgumentError, UnusedCliTokensError
from pydantic import ValidationError

from unmask.cli.texts import STANDARD_INPUT
from unmask.errors import UsageError


def arguments(words: Sequence[str]) -> list[str]:
    """The words as cyclopts is given them, which takes a lone `-` for an option.

    Raises:
        UsageError: An empty one, nearly always a variable that is not set; as a path it would
            mean the current folder.
    """
    for number, word in enumerate(words):
        if not word or (word.startswith("--") and word.endswith("=")):
            where = word or (f"after `{words[number - 1]}`" if number else "the first")
            raise UsageError(
                f"an empty argument ({where}): is a variable not set? An empty text has no answer, "
                "and the current folder is written `.`."
            )
    return [STANDARD_INPUT if word == "-" else word for word in words]


def usage(error: CycloptsError) -> str:
    """One message for a mistake that cyclopts or a settings model found."""
    cause, argument = error.__cause__, error.argument
    name = "" if argument is None else argument.name
    if isinstance(cause, ValidationError):
        return _faults(cause, name if name.startswith("--") else "")
    command = " ".join(["unmask", *(error.command_chain or ())])
    if isinstance(error, MissingArgumentError) and argument is not None:
        described = (argument.parameter.help or "").split("\n")[0].strip()
        told = " ".join(filter(None, (f"{argument.name}: is missing.", described)))
        return f"{told}\nTry `{command} --help`."
    told = _unexpected(error) if isinstance(error, UnusedCliTokensError) else str(error)
    return f"{told}\nTry `{command} --help`."


def _unexpected(error: UnusedCliTokensError) -> str:
    words = ["-" if word == STANDARD_INPUT else word for word in error.unused_tokens or ()]
    return f"unexpected: {' '.join(words)}"


def _faults(error: ValidationError, prefix: str) -> str:
    """A line for each wrong value, after the flag that it came by."""
    from unmask.recipe.files import expectation

    lines = []
    for fault in error.errors():
        parts = [prefix.removeprefix("--"), *(str(part) for part in fault["loc"])]
        flag = "--" + ".".join(part.replace("_", "-") for part in parts if part)
        found = "" if isinstance(fault["input"], dict) or not fault["loc"] else f" {fault['input']}"
        place = "command line" if flag == "--" else f"{flag}{found}"
        lines.append(f"{place}: {expectation(fault)}.")
    return "\n".join(lines)
