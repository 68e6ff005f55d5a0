"""Settings of the semantic utilities and of mining; imports no arrays."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Linkage = Literal["single", "star"]
MinedFormat = Literal["triplet", "n-tuple", "labeled-pair", "labeled-list"]
Structure = Literal["columns", "title-body", "paragraphs"]


class DeduplicateConfig(BaseModel):
    """Which texts say the same."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    threshold: float = Field(default=0.95, gt=0.0, le=1.0)
    """Cosine from which two texts are duplicates."""
    linkage: Linkage = "single"
    """What a group is: single joins all that hang together by pairs of duplicates, so that its ends
    may differ; star only what is a duplicate of the text that is kept, the first of them."""


class ParaphrasesConfig(BaseModel):
    """Which pairs of texts are listed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    top_k: int = Field(default=100, ge=1)
    """Neighbours of each text that may be its pairs; a pair needs to be so near to one of its two
    texts only."""
    max_pairs: int = Field(default=500_000, ge=1, le=100_000_000)
    """Most pairs, the best ones."""
    threshold: float = Field(default=-1.0, ge=-1.0, le=1.0)
    """Least cosine of a pair."""


class ClusterConfig(BaseModel):
    """What a cluster is."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    threshold: float = Field(default=0.75, gt=-1.0, le=1.0)
    """Least cosine between a cluster's centre, which is one of the texts, and its other texts."""
    min_size: int = Field(default=10, ge=1)
    """Least texts of a cluster; what lies in none stays alone."""
    num_clusters: int | None = Field(default=None, ge=2)
    """So many clusters by k-means instead, in which every text has its place."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """Draws the first centres of k-means."""


class MiningConfig(BaseModel):
    """Which texts become hard negatives, and in what form they are written."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    num_negatives: int = Field(default=3, ge=1, le=1000)
    """Negatives of each anchor."""
    range_min: int = Field(default=0, ge=0)
    """Nearest candidates that are passed over, since they may be right answers nobody marked."""
    range_max: int | None = Field(default=None, ge=1)
    """Candidates that are looked at, those passed over among them; without it as many as are
    needed, ten times as many where a margin, a limit or `duplicates` may leave some out."""
    absolute_margin: float | None = Field(default=None, ge=0.0)
    """How far a negative's score has to lie below the worst positive's."""
    relative_margin: float | None = Field(default=None, ge=0.0, le=2.0)
    """The same as a share of that positive's score (NV-Retriever, arXiv 2407.15831: 0.05)."""
    max_score: float | None = None
    """Greatest score of a negative."""
    min_score: float | None = None
    """Least score of a negative."""
    sampling: Literal["top", "random"] = "top"
    """Whether the hardest of the candidates are taken, or some at random."""
    seed: int = Field(default=0, ge=0)
    """Draws the random ones."""
    duplicates: float | None = Field(default=0.95, gt=0.0, le=1.0)
    """Cosine to a positive from which a text counts as its duplicate, which is no negative; at 1
    only equal ones do."""
    format: MinedFormat = "triplet"
    """One line for each negative, for each positive with all negatives, for each text with its
    label, or for each positive and all negatives as a list of texts and one of labels."""
    scores: bool = False
    """Writes the scores too, as a teacher's (instead of labels, where there are some)."""

    @model_validator(mode="after")
    def _leaves_some(self) -> Self:
        if self.range_max is not None and self.range_max - self.range_min < self.num_negatives:
            left = max(0, self.range_max - self.range_min)
            raise ValueError(
                f"range_max {self.range_max} and range_min {self.range_min} leave {left} "
                f"candidates: expected at least num_negatives, {self.num_negatives}"
            )
        low, high = self.min_score, self.max_score
        if low is not None and high is not None and low > high:
            raise ValueError(f"min_score {low:g}: expected at most max_score {high:g}")
        return self

    def last_rank(self, num_positives: int) -> int:
        """Candidates of an anchor that are looked at, where one has at most so many positives."""
        if self.range_max is not None:
            return self.range_max
        limits = (self.absolute_margin, self.relative_margin, self.max_score, self.min_score)
        some_go = any(limit is not None for limit in (*limits, self.duplicates))
        return self.range_min + self.num_negatives * (10 if some_go else 1) + num_positives


class PairsConfig(BaseModel):
    """Where pairs of an anchor and its positive come from."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    pairs: Structure = "columns"
    """The columns `anchor` and `positive` (or `query` and `document`, ...); each record's title
    and body; or each paragraph and the one that follows it."""
    min_words: int = Field(default=5, ge=1)
    """Paragraphs and bodies of fewer words are left out, words being what spaces separate."""
    max_words: int | None = Field(default=None, ge=1)
    """Longer ones are cut after so many words."""
