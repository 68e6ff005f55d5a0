"""Settings of the data room; imports no arrays, so that a command line can read them fast."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class MaskingConfig(BaseModel):
    """Which positions a masked language model must predict, and what stands there instead."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    rate: float = Field(default=0.15, gt=0.0, lt=1.0)
    """Share of each sequence's eligible (non-special) positions picked (Devlin et al. 2019)."""
    final_rate: float | None = Field(default=None, gt=0.0, lt=1.0)
    """The share at the end of a run, to which `rate` moves in proportion to the budget used;
    without it `rate` stays (a falling one: Ankner et al. 2024, arXiv 2305.15096)."""
    mask_share: float = Field(default=0.8, ge=0.0, le=1.0)
    """Share of the picked positions that become the mask token."""
    random_share: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of the picked positions that become a random non-special token; the rest stay."""
    unit: Literal["token", "word", "span"] = "token"
    """What is picked together: single pieces, whole words, or spans of neighbouring words."""
    dynamic: bool = True
    """A new mask for each epoch (RoBERTa); False repeats the first epoch's mask."""

    def rate_at(self, progress: float) -> float:
        """The share of positions picked when this share of the budget, 0..1, is used."""
        last = self.rate if self.final_rate is None else self.final_rate
        return self.rate + (last - self.rate) * progress

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        total = self.mask_share + self.random_share
        # Decimal shares that add up to one may exceed it by a rounding error as floats.
        if total > 1.0 + 1e-9:
            raise ValueError(
                f"mask_share {self.mask_share:g} and random_share {self.random_share:g} add up to "
                f"{total:g}: expected at most 1, what is left over stays unchanged"
            )
        return self


class ReaderConfig(BaseModel):
    """How files become documents."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    documents: Literal["file", "record", "block", "line"] | None = None
    """What is one document: a whole file, a record of a table, a block between blank lines, or a
    line; without it a file for text and a record for tables."""
    text_field: str = Field(default="text", min_length=1)
    """The column or JSON field that holds the text."""
    max_line_bytes: int = Field(default=8 * 2**20, ge=2**10, le=2**30)
    """A longer line or record is rejected, so that a broken file cannot fill the memory; bytes."""
    max_document_bytes: int = Field(default=4 * 2**20, ge=2**10, le=2**30)
    """A longer document is cut at the end of a line into several; bytes of UTF-8."""
    max_reject_rate: float = Field(default=0.001, ge=0.0, le=1.0)
    """The run stops if more than this share of the records cannot be read; up to 9 such records
    never stop it."""


class FilterConfig(BaseModel):
    """Which documents are left out for poor quality; a filter that is not set is off, as all are.

    Gopher is Rae et al. 2021 (arXiv 2112.11446), appendix A.1.1, whose values are named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    min_characters: int | None = Field(default=None, ge=1)
    """Shorter documents go; characters."""
    max_characters: int | None = Field(default=None, ge=1)
    """Longer documents go; characters."""
    min_words: int | None = Field(default=None, ge=1)
    """Documents of fewer words go, words being what spaces separate (Gopher: 50)."""
    min_mean_word_length: float | None = Field(default=None, gt=0.0)
    """Documents whose mean word is shorter go; characters (Gopher: 3)."""
    max_mean_word_length: float | None = Field(default=None, gt=0.0)
    """Documents whose mean word is longer go; characters (Gopher: 10)."""
    min_alphabetic_words: float | None = Field(default=None, gt=0.0, le=1.0)
    """Least share of words with at least one letter (Gopher: 0.8)."""
    max_symbol_rate: float | None = Field(default=None, ge=0.0)
    """Most hash signs and ellipses per word (Gopher: 0.1)."""
    max_bullet_lines: float | None = Field(default=None, ge=0.0, lt=1.0)
    """Most lines that begin with a bullet, as a share of the lines (Gopher: 0.9)."""
    max_ellipsis_lines: float | None = Field(default=None, ge=0.0, lt=1.0)
    """Most lines that end in an ellipsis, as a share of the lines (Gopher: 0.3)."""
    max_repeated_lines: float | None = Field(default=None, ge=0.0, lt=1.0)
    """Most lines that repeat an earlier line, as a share of the lines (Gopher: 0.3)."""


class CorpusConfig(BaseModel):
    """How text becomes shards of token ids."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    reader: ReaderConfig = ReaderConfig()
    """How files become documents."""
    filters: FilterConfig = FilterConfig()
    """Which documents are left out for poor quality."""
    duplicates: Literal["keep", "exact", "near"] = "keep"
    """Which repeats of an earlier document are left out: none, equal text (case and spaces apart),
    or also similar text (MinHash, which needs the extra `corpus`). The latter two take memory for
    every document."""
    near_similarity: float = Field(default=0.8, gt=0.0, le=1.0)
    """Estimated Jaccard similarity of word 5-grams from which documents are near duplicates
    (Lee et al. 2022, arXiv 2107.06499)."""
    shard_tokens: int = Field(default=100_000_000, ge=1)
    """Most tokens in a shard, unless one document alone has more."""
    workers: int = Field(default=1, ge=1, le=256)
    """Threads that hand over text to encode, beside the one that reads; the shards do not depend on
    it. Where `tokie` encodes, it uses all cores of the process whatever the number."""
    overwrite: bool = False
    """Replaces a corpus that is already there."""
