"""What an examination says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, unwise, or good to know."""

    severity: Literal["error", "warning", "note"]
    what: str
    """What was found, with its figures."""
    why: str
    """What it leads to."""
    fix: str
    """What to do about it."""
