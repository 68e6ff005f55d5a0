"""Reading recipes, and putting flags on top of them."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from unmask.errors import UsageError
from unmask.models.config import CONFIGS
from unmask.recipe.config import Pretrain

Settings = TypeVar("Settings", bound=BaseModel)


def load(path: Path | None, flags: dict[str, Any], kind: type[Settings]) -> Settings:
    """The recipe at `path`, or the defaults, with `flags` winning key by key.

    Raises:
        UsageError: The file is missing or broken, a key is unknown, or a value out of bounds.
    """
    settings: dict[str, Any] = {}
    if path is not None:
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror}).{_near(path)}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: is no valid TOML: {error}") from error
    merged = _merged(settings, flags)
    budgets = {"steps", "minutes"}
    chosen = budgets & flags.get("train", {}).keys()
    if len(chosen) == 1:
        # A budget given by a flag replaces the recipe's, whichever of the two it is.
        for name in budgets - chosen:
            merged["train"].pop(name, None)
    try:
        return kind.model_validate(merged)
    except ValidationError as error:
        raise UsageError(explain(error, str(path or "settings"), kind, flags)) from error


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merged(merged[key], value)
        else:
            merged[key] = value
    return merged


def explain(
    error: ValidationError, place: str, settings: type[BaseModel], flags: dict[str, Any]
) -> str:
    """One line a fault: where it is, what was found, what was expected.

    `flags` are the settings that came by flags, which are then named instead of the place.
    """
    lines: list[str] = []
    for fault in error.errors():
        if (flag := _flag(fault, flags)) is not None:
            lines.append(f"{flag} {fault['input']}: {expectation(fault)}.")
            continue
        *table, key = [str(part) for part in fault["loc"]] or [""]
        where = f"{place} [{'.'.join(table)}]" if table else place
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, _keys(settings, table), n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            lines.append(f"{where}: unknown key `{key}`.{hint}")
        else:
            message = expectation(fault)
            found = "" if isinstance(fault["input"], dict | BaseModel) else f" {fault['input']!r}"
            lines.append(f"{where}: `{key}`{found}: {message}." if key else f"{where}: {message}.")
    return "\n".join(lines)


def _flag(fault: ErrorDetails, flags: Any) -> str | None:
    """By which a wrong value came; None where it did not, or where a whole table is wrong."""
    for key in fault["loc"]:
        if not isinstance(flags, dict) or key not in flags:
            return None
        flags = flags[key]
    if isinstance(flags, dict):
        return None
    return "--" + ".".join(str(key).replace("_", "-") for key in fault["loc"])


def expectation(fault: ErrorDetails) -> str:
    """What stands in place of a wrong value, without a full stop."""
    expected = _EXPECTED.get(fault["type"])
    if expected is not None:
        return expected.format(**fault.get("ctx", {}))
    return fault["msg"].removeprefix("Value error, ")


_EXPECTED = {
    "greater_than_equal": "expected {ge:g} or more",
    "greater_than": "expected more than {gt:g}",
    "less_than_equal": "expected {le:g} or less",
    "less_than": "expected less than {lt:g}",
    "literal_error": "expected {expected}",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "int_type": "expected a whole number",
    "float_parsing": "expected a number",
    "float_type": "expected a number",
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
    "string_type": "expected text",
    "missing": "is missing",
}
"""Our words for what pydantic finds, by its type of fault."""


def _near(path: Path) -> str:
    """A recipe that may be meant: named without its folder or its ending."""
    for folder in (path.parent, Path("recipes")):
        meant = folder / f"{path.name.removesuffix('.toml')}.toml"
        if meant != path and meant.is_file():
            return f" Did you mean {meant}?"
    return ""


def _keys(settings: type[BaseModel], table: list[str]) -> list[str]:
    for name in table:
        annotation = settings.model_fields[name].annotation
        if settings is Pretrain and name == "model":
            names = {name for config in CONFIGS.values() for name in config.model_fields}
            return sorted(names)
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        settings = annotation
    return list(settings.model_fields)
