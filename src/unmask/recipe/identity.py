"""What a run is made of, compared with what it was begun with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unmask.errors import UsageError


def require_same(stored: dict[str, Any], wanted: dict[str, Any], place: Path) -> None:
    """Refuses to go on with a run that was another one.

    Raises:
        UsageError: They differ; each difference is named.
    """
    before, now = _flat(stored), _flat(wanted)
    differences = [
        f"  {name}: was {before.get(name)!r}, is {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if differences:
        raise UsageError(
            f"{place}: belongs to another run:\n" + "\n".join(differences) + "\n"
            "Resume with what it was started with, or start anew under another --output."
        )


def _flat(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
