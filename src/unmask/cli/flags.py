"""Arguments and flags that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token
from pydantic import BaseModel

from unmask.errors import UsageError


def _not_empty(kind: type[Any], tokens: Sequence[Token]) -> Any:
    """An empty path is nearly always a variable that is not set; `Path("")` is this very folder."""
    (token,) = tokens
    if not token.value:
        raise UsageError('an empty path, which would mean the current folder; write "." for that.')
    return kind(token.value)


Place = Annotated[Path, Parameter(converter=_not_empty)]
"""A file or a folder."""
ModelName = Annotated[str, Parameter(converter=_not_empty)]
"""A model or run folder, or a hub id."""
AsJson = Annotated[
    bool, Parameter(name="--json", negative="", help="Prints JSON on stdout and nothing else.")
]
"""What every verb that prints results takes."""


def given(**settings: Any) -> dict[str, Any]:
    """Only what the user wrote, so that a recipe keeps the rest."""
    flags: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, BaseModel):
            value = value.model_dump(exclude_unset=True)
        if value is not None and value != {}:
            flags[name] = value
    return flags
