"""Reading recipes, and putting flags on top of them."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from unmask.errors import UsageError
from unmask.models.config import BertConfig
from unmask.recipe.config import Pretrain


def load(path: Path | None, flags: dict[str, Any]) -> Pretrain:
    """The recipe at `path`, or the defaults, with `flags` winning key by key.

    Raises:
        UsageError: The file is missing or broken, a key is unknown, or a value out of bounds.
    """
    settings: dict[str, Any] = {}
    if path is not None:
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror}).") from error
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
        return Pretrain.model_validate(merged)
    except ValidationError as error:
        raise UsageError(explain(error, str(path or "settings"), Pretrain)) from error


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merged(merged[key], value)
        else:
            merged[key] = value
    return merged


def explain(error: ValidationError, place: str, settings: type[BaseModel]) -> str:
    """One line a fault: where it is, what was found, what was expected."""
    lines = []
    for fault in error.errors():
        *table, key = [str(part) for part in fault["loc"]] or [""]
        where = f"{place} [{'.'.join(table)}]" if table else place
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, _keys(settings, table), n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            lines.append(f"{where}: unknown key `{key}`.{hint}")
        else:
            message = fault["msg"].removeprefix("Value error, ")
            found = "" if isinstance(fault["input"], dict | BaseModel) else f" {fault['input']!r}"
            lines.append(f"{where}: `{key}`{found}: {message}." if key else f"{where}: {message}.")
    return "\n".join(lines)


def _keys(settings: type[BaseModel], table: list[str]) -> list[str]:
    for name in table:
        annotation = settings.model_fields[name].annotation
        if settings is Pretrain and name == "model":
            annotation = BertConfig
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        settings = annotation
    return list(settings.model_fields)
