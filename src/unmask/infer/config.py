"""Settings of the infer room; imports no tensors, so that a command line can read them fast."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FillConfig(BaseModel):
    """What is asked of each mask."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    top_k: int = Field(default=5, ge=1)
    """Predictions for each mask, best first; at most the vocabulary's size."""
    candidates: tuple[str, ...] | None = None
    """The only words that may be predicted, each one token; None allows the whole vocabulary."""
