"""How much of a text the tasks read; imports no tensors."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class LengthConfig(BaseModel):
    """How much of a text is read at once."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_length: int | None = Field(default=None, ge=8)
    """Most tokens of a sequence, specials included; without it what the model reads."""


class WindowConfig(LengthConfig):
    """How texts longer than the model reads are cut into overlapping windows."""

    max_length: int | None = Field(default=None, ge=8)
    """Most tokens of a window, specials included; without it what the model reads."""
    stride: int = Field(default=32, ge=0)
    """Tokens that two neighbouring windows of a longer text share, at most half of what a window
    holds of it."""
