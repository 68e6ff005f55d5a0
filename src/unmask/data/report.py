"""What preparation found in a text."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_LEFT_OUT = {
    "empty": "as empty",
    "exact_duplicate": "as exact duplicates",
    "near_duplicate": "as near duplicates",
}
"""Why documents are left out, where it is not a filter's name that says it."""


@dataclass(frozen=True)
class Report:
    """Counts over a whole corpus; what is left out is counted too."""

    num_sources: int
    num_ignored_files: int
    """Files in the folders whose kind is not known, and what is no text but our own output."""
    num_records: int
    """Records, files or blocks read, good and bad."""
    num_rejects: int
    """Records that could not be read; see rejects.jsonl."""
    rejects: dict[str, int]
    """Rejects by reason."""
    num_cut_documents: int
    """Documents that came in parts because they are long; each part counts as one below."""
    filtered: dict[str, int]
    """Documents left out, by filter."""
    num_documents: int
    num_sentences: int
    num_characters: int
    num_tokens: int
    """Without special tokens."""
    unknown_rate: float
    """Unknown tokens per token."""
    tokens_per_word: float
    """Tokens per word piece that begins a word."""
    unigram_entropy: float
    """Nats; the loss of a model that knows nothing but how often each token stands, special tokens
    (the unknown one too) left out."""
    repeated_line_rate: float
    """Share of the characters in lines that repeat an earlier one, of a large text by a sample."""
    repeated_lines: dict[str, int]
    """The lines that take most of it, shortened, and how often each was seen."""
    num_used_tokens: int
    """Entries of the vocabulary that stand in the corpus at all."""
    vocab_size: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        text = json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8", newline="\n")

    def rows(self) -> list[tuple[str, str]]:
        """Names and values for printing."""
        rows = [
            ("files", f"{self.num_sources:,}"),
            ("of unknown kind or our own, not read", f"{self.num_ignored_files:,}"),
            ("records", f"{self.num_records:,}"),
            ("rejects", f"{self.num_rejects:,}"),
            *((f"  {reason}", f"{count:,}") for reason, count in self.rejects.items()),
            *((f"left out {left_out(name)}", f"{n:,}") for name, n in self.filtered.items()),
            ("long documents cut", f"{self.num_cut_documents:,}"),
            ("documents", f"{self.num_documents:,}"),
            ("sentences", f"{self.num_sentences:,}"),
            ("characters", f"{self.num_characters:,}"),
            ("tokens", f"{self.num_tokens:,}"),
            ("tokens per word", f"{self.tokens_per_word:.3f}"),
            ("unknown tokens", f"{self.unknown_rate:.4%}"),
            ("vocabulary used", f"{self.num_used_tokens:,} of {self.vocab_size:,}"),
            ("unigram entropy", f"{self.unigram_entropy:.3f} nats"),
            ("repeated lines", f"{self.repeated_line_rate:.2%}"),
            ("seconds", f"{self.seconds:.1f}"),
        ]
        return [row for row in rows if row[1] != "0" or row[0] == "rejects"]


def left_out(name: str) -> str:
    """What follows the words "left out" for a key of `Report.filtered`.

    >>> left_out("empty"), left_out("min_words")
    ('as empty', 'by min_words')
    """
    return _LEFT_OUT.get(name, f"by {name}")


def ordinary_counts(
    counts: npt.NDArray[np.int64], is_special: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """(V,) the counts with those of special tokens, which no model is ever asked for, at 0."""
    return np.where(is_special, 0, counts)


def unigram_entropy(counts: npt.NDArray[np.int64]) -> float:
    """Entropy in nats of the distribution with these counts (V,); 0 where all are 0."""
    if not counts.any():
        return 0.0
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
