"""What a test collection is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Qrels = Mapping[str, Mapping[str, int]]
"""Relevance by query and document: above 0 relevant, the more the better."""
Run = Mapping[str, Mapping[str, float]]
"""Scores by query and document: more is better, the rank follows from them."""


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """A document that may be found."""

    id: str
    title: str
    """Empty if it has none."""
    text: str
    place: str
    """File and line, for messages."""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> str:
        """Title and text, joined as BEIR and MTEB join them before they encode a document."""
        return f"{self.title} {self.text}".strip()


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for."""

    id: str
    text: str
    place: str
    """File and line, for messages."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How relevant a document is to a query."""

    query: str
    document: str
    relevance: int
    source: str
    """The file."""
    line: int

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that a system found for a query."""

    query: str
    document: str
    rank: int
    """As the file has it; evaluation goes by the score."""
    score: float
    tag: str
    """The system's name."""
    source: str
    """The file."""
    line: int
