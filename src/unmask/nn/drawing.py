"""How the initial weights of one matrix differ from all others'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from torch import nn

_Module = TypeVar("_Module", bound=nn.Module)


@dataclass(frozen=True)
class Drawing:
    """A truncated normal, see `nn.init.initialise`."""

    scale: float = 1.0
    """Of the standard deviation that the model begins with."""
    deviation: float | None = None
    """A standard deviation of its own instead."""
    cutoff: float = 2.0
    """Standard deviations at which the normal is cut."""


def drawn(module: _Module, drawing: Drawing) -> _Module:
    """The module, which carries how its weight is to be drawn."""
    module.drawing = drawing  # type: ignore[assignment]
    return module


def drawing_of(module: nn.Module) -> Drawing:
    """What the module carries; the usual one where it carries nothing."""
    carried = module.__dict__.get("drawing", Drawing())
    assert isinstance(carried, Drawing)
    return carried
