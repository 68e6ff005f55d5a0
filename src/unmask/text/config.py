"""Settings of the text room; imports no arrays, so that a command line can read them fast."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TokenizerConfig(BaseModel):
    """How text is normalised and how its vocabulary is learned."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["wordpiece", "bpe", "unigram"] = "wordpiece"
    """What pieces are: `wordpiece` (BERT, ELECTRA, DistilBERT, MPNet), `bpe` over bytes with
    RoBERTa's special tokens (RoBERTa, ModernBERT), `unigram` with ALBERT's (ALBERT, DeBERTa)."""
    special_tokens: Literal["bert", "mpnet"] = "bert"
    """Those of kind `wordpiece`: BERT's, or MPNet's with its padding at the id 1, from which that
    model counts positions."""
    vocab_size: int = Field(default=30522, ge=6, le=2**24)
    """Entries asked for, special tokens and single characters included (30522: BERT uncased)."""
    lowercase: bool = True
    """Lower-cases all text first, as the uncased BERT models do."""
    strip_accents: bool | None = None
    """Removes combining marks after decomposition (NFD); without it as `lowercase` says."""
    split_chinese_characters: bool = True
    """Sets each CJK ideograph apart as a word of its own (`tokenize_chinese_chars` in BERT)."""
    min_frequency: int = Field(default=2, ge=0)
    """Occurrences in the text below which a pair of pieces is not merged."""
    limit_alphabet: int = Field(default=1000, ge=1)
    """Most distinct characters kept; words with a rarer one become the unknown token."""
    max_word_length: int = Field(default=100, ge=1)
    """Characters of a word after normalising, beyond which it becomes one unknown token (BERT)."""
