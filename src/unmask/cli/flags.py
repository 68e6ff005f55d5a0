"""Flags that several verbs share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import BaseModel

AsJson = Annotated[
    bool, Parameter(name="--json", negative="", help="Prints JSON on stdout and nothing else.")
]
"""What every verb that prints results takes."""
RecipeFile = Annotated[Path | None, Parameter(help="A TOML file of settings; flags win over it.")]
"""What every verb that trains takes."""
Resume = Annotated[
    bool, Parameter(help="Goes on from the newest checkpoint, or begins where there is none.")
]
"""What every verb takes whose one run may be stopped and gone on with."""
LabelledFile = Annotated[Path, Parameter(help="A file of labelled examples.")]
"""What is fine-tuned on."""
Pretrained = Annotated[
    str, Parameter(help="The model to begin with: a model or run folder, or a hub id.")
]
"""What is fine-tuned."""


def given(choices: BaseModel | None, tables: Mapping[str, BaseModel | None]) -> dict[str, Any]:
    """Only what the user wrote, as a recipe has it, so that a recipe keeps the rest."""
    written = {name: _written(table) for name, table in tables.items()}
    return _written(choices) | {name: table for name, table in written.items() if table}


def flags_of(settings: BaseModel, table: str = "") -> str:
    """The flags that the user wrote for these settings, as messages name them.

    `table` is what they begin with, such as "column.".
    """
    names = sorted(settings.model_fields_set)
    return ", ".join(f"--{table}{name.replace('_', '-')}" for name in names)


def _written(settings: BaseModel | None) -> dict[str, Any]:
    return {} if settings is None else settings.model_dump(exclude_unset=True)


@contextmanager
def resumable() -> Iterator[None]:
    """Says how to go on where the user lost patience with saving and stopped the run at once."""
    try:
        yield
    except KeyboardInterrupt:
        message = "the same command with --resume goes on from the last checkpoint"
        raise KeyboardInterrupt(message) from None
