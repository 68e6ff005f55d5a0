"""What measuring a model on a file came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Assessment:
    """The figures of a model on a file."""

    num_examples: int
    """Examples; queries, where retrieval was measured."""
    scores: dict[str, float]
    """By their scikit-learn, seqeval, SQuAD, sentence-transformers or trec_eval names."""
    intervals: dict[str, tuple[float, float]]
    """95 % bootstrap intervals."""
    predictions: dict[str, str] | None = None
    """Answers to questions by their id, empty for none; None for other tasks."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {"examples": self.num_examples, **self.scores, "intervals": self.intervals}
