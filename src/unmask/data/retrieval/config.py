"""Settings of the readers of test collections; imports no arrays."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class RetrievalConfig(BaseModel):
    """How files become documents, queries, judgements and runs."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    query_ids: Literal["own", "position"] = "own"
    """How TREC topics are named: by their own `<num>`, or counted from 1 in the order of the file,
    as Cranfield's judgements name its queries (whose own numbers run to 365 and mean nothing)."""
    max_line_bytes: int = Field(default=8 * 2**20, ge=2**10, le=2**30)
    """A longer line, or a longer element of XML, is rejected, so that a broken file cannot fill the
    memory; bytes."""
    max_reject_rate: float = Field(default=0.001, ge=0.0, le=1.0)
    """The run stops if more than this share of the records cannot be read; up to 9 such records
    never stop it."""
