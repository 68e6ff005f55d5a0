"""Settings as TOML, which Python's library only reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def as_toml(tables: Mapping[str, Any], path: tuple[str, ...] = ()) -> str:
    """Nested tables of text, numbers, truth values and lists of these; None is left out.

    >>> print(as_toml({"task": "tagging", "train": {"epochs": 3, "compile": False}}), end="")
    task = "tagging"
    <BLANKLINE>
    [train]
    epochs = 3
    compile = false
    """
    lines = [
        f"{_key(name)} = {_value(value)}"
        for name, value in tables.items()
        if value is not None and not isinstance(value, Mapping)
    ]
    own = "\n".join([*([f"[{'.'.join(map(_key, path))}]"] if path and lines else []), *lines])
    inner = [
        as_toml(value, (*path, name)).rstrip("\n")
        for name, value in tables.items()
        if isinstance(value, Mapping)
    ]
    return "\n\n".join(part for part in (own, *inner) if part) + "\n"


def _key(name: str) -> str:
    is_bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if is_bare else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, str):  # JSON's text is TOML's, but for one character
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)
