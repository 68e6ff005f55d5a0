"""Flags that several verbs share."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import BaseModel

AsJson = Annotated[
    bool, Parameter(name="--json", negative="", help="Prints JSON on stdout and nothing else.")
]
"""What every verb that prints results takes."""


def given(settings: dict[str, Any]) -> dict[str, Any]:
    """Only what the user wrote, so that a recipe keeps the rest."""
    flags: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, BaseModel):
            value = value.model_dump(exclude_unset=True)
        if value is not None and value != {}:
            flags[name] = value
    return flags
