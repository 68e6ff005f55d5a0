"""Settings of the search room; imports no arrays, so that a command line can read them fast."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from unmask.data.labelled.config import Column

Similarity = Literal["cosine", "dot"]
"""How a query's vector and a passage's are compared; more is nearer."""
Stopwords = Literal[
    "none", "chinese", "danish", "dutch", "english", "french", "german", "italian", "korean",
    "norwegian", "portuguese", "russian", "spanish", "swedish", "turkish",
]  # fmt: skip
"""Languages whose frequent words can be left out."""

GRAPH_FROM = 200_000
"""Passages from which `auto` takes a graph: to look at all of them, a query reads 300 MB of vectors
of 384 numbers, some 30 ms."""


class ChunkConfig(BaseModel):
    """How documents become passages, each of which gets a vector."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    by: Literal["sentences", "tokens", "document"] = "sentences"
    """What a passage is made of: whole sentences as far as they fit, windows of tokens, or the
    whole document, of which a model reads only the beginning where it is too long."""
    max_tokens: int | None = Field(default=None, ge=8)
    """Most tokens of a passage with its title, special tokens not counted; without it as many as
    the model reads."""
    overlap_tokens: int = Field(default=32, ge=0)
    """Most tokens that a passage repeats of the one before it, in whole sentences by sentences;
    never more than half of those that fit."""


class WordsConfig(BaseModel):
    """How words are counted for BM25 (Robertson and Zaragoza 2009)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    stopwords: Stopwords = "none"
    """The language whose most frequent words are left out; BM25 gives them little weight anyway,
    but they take most of the time."""
    k1: float = Field(default=1.2, ge=0.0, le=10.0)
    """How much a word counts that stands there again: at 0 nothing, the greater the more."""
    b: float = Field(default=0.75, ge=0.0, le=1.0)
    """How far long passages are marked down: at 0 not at all, at 1 in proportion."""


class IndexConfig(BaseModel):
    """What an index is; all of it is fixed when the index is begun."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    chunk: ChunkConfig = ChunkConfig()
    """How documents become passages."""
    similarity: Similarity = "cosine"
    """How vectors are compared; by cosine they are stored at length 1. `unmask index` takes the
    model's own where that is the dot product."""
    kind: Literal["auto", "exact", "hnsw", "ivf"] = "auto"
    """How the nearest vectors are found: by looking at all, by a graph (Malkov and Yashunin 2018,
    arXiv 1603.09320), or in the nearest of many cells; auto looks at all up to 200,000 passages and
    takes a graph beyond."""
    quantise: Literal["none", "sq8"] = "none"
    """Whether the search goes over 8 bits a number, a fourth of the memory; what it finds is scored
    again by the whole vectors."""
    recall: float = Field(default=0.98, gt=0.0, le=1.0)
    """Share of the 10 nearest vectors that an index which does not look at all has to find; it is
    made to look longer until it does, and the share that was measured is told."""
    bm25: WordsConfig = WordsConfig()
    """How words are counted."""
    commit_passages: int = Field(default=4096, ge=1, le=1_000_000)
    """Passages after which those so far are kept; a kill loses at most so many, and those of one
    document more."""


class DocumentColumns(BaseModel):
    """Where a document's parts stand in a table; what is not set is recognised by its name."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    text: Column | None = None
    """The text."""
    id: Column | None = None
    """What names the document; without it, the file's path as it was given, and the line."""
    title: Column | None = None
    """The title, which every passage is read with; an empty name means none."""


class ReadingConfig(BaseModel):
    """How files become documents; every further column is metadata."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    column: DocumentColumns = DocumentColumns()
    """Where a document's parts stand in a table."""
    max_line_bytes: int = Field(default=16 * 2**20, ge=2**10, le=2**30)
    """A longer line or record is rejected, so that a broken file cannot fill the memory; bytes."""
    max_reject_rate: float = Field(default=0.001, ge=0.0, le=1.0)
    """The run stops if more than this share of the records cannot be read; up to 9 such records
    never stop it."""


class SearchConfig(BaseModel):
    """What is searched for."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    top_k: int = Field(default=10, ge=1, le=100_000)
    """Most results."""
    by: Literal["vectors", "words", "hybrid"] = "vectors"
    """What a passage is found by: its vector, its words (BM25), or both together, by
    reciprocal rank fusion (Cormack et al. 2009)."""
    filter: tuple[str, ...] = ()
    """Conditions on the metadata that all must hold, such as `year>=1990` or `author=Austen`; of =,
    !=, <, <=, > and >=. Numbers compare as numbers, everything else as text."""
    depth: int = Field(default=100, ge=1, le=100_000)
    """Passages of each ranking that are fused, and that are ranked again by a cross-encoder; all
    `top_k` where these are more."""
    rrf_k: float = Field(default=60.0, ge=0.0)
    """What fusion adds to each rank, as the paper has it: the greater, the less the first places
    outweigh the others."""
    documents: bool = False
    """Gives each document once, by its best passage."""
