"""Flags that several verbs share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

AsJson = Annotated[
    bool, Parameter(name="--json", negative="", help="Prints JSON on stdout and nothing else.")
]
"""What every verb that prints results takes."""
