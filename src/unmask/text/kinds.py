"""The three kinds of vocabulary, and how each marks where a word begins."""

from __future__ import annotations

import json
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer as Backend
from tokenizers import models

Kind = Literal["WordPiece", "byte-level BPE", "Unigram"]

BYTE_BLANK = "Ġ"
"""The blank in byte-level BPE, which stands before a word (GPT-2, encoder.py)."""
BLANK = "▁"
"""The blank in SentencePiece's vocabularies."""


def kind_of(backend: Backend) -> Kind | None:
    """The kind of a tokenizer, None for one that no encoder here comes with."""
    model = backend.model
    if isinstance(model, models.WordPiece):
        return "WordPiece"
    if isinstance(model, models.Unigram):
        return "Unigram"
    if isinstance(model, models.BPE) and _step(backend.pre_tokenizer, "ByteLevel"):
        return "byte-level BPE"
    return None


def lowercases(backend: Backend) -> bool:
    """Whether text is lower-cased before it is split."""
    bert = _step(backend.normalizer, "BertNormalizer")
    return bool(bert and bert["lowercase"]) or _step(backend.normalizer, "Lowercase") is not None


def word_settings(backend: Backend) -> dict[str, bool | None]:
    """What BERT's normaliser does beside lower-casing, by the names of `TokenizerConfig`.

    Empty for a backend without it.
    """
    bert = _step(backend.normalizer, "BertNormalizer")
    if bert is None:
        return {}
    return {
        "strip_accents": bert["strip_accents"],
        "split_chinese_characters": bert["handle_chinese_chars"],
    }


def family_settings(backend: Backend) -> dict[str, bool]:
    """What transformers' classes of single families must be told to build the same."""
    if kind_of(backend) == "Unigram":
        normalizer = backend.normalizer
        return {
            "do_lower_case": _step(normalizer, "Lowercase") is not None,
            "keep_accents": _step(normalizer, "StripAccents") is None,
            "split_by_punct": _step(backend.pre_tokenizer, "Punctuation") is not None,
        }
    return byte_level_settings(backend)


def byte_level_settings(backend: Backend) -> dict[str, bool]:
    """What byte-level BPE does with blanks, by the names of tokenizer_config.json."""
    found = _step(backend.pre_tokenizer, "ByteLevel")
    after = _step(backend.post_processor, "RobertaProcessing")
    trims = {} if after is None else {"trim_offsets": bool(after["trim_offsets"])}
    return {} if found is None else {"add_prefix_space": bool(found["add_prefix_space"]), **trims}


def needs_blank(backend: Backend) -> bool:
    """Whether a word has its usual pieces only after a blank, which is not set before a text.

    So in byte-level BPE without `add_prefix_space`.
    """
    return not byte_level_settings(backend).get("add_prefix_space", True)


def continuations(backend: Backend, vocab_size: int) -> npt.NDArray[np.bool_]:
    """(V,) bool, True for pieces that go on with the word before them.

    WordPiece marks these; the others mark the pieces that begin a word, so that punctuation goes
    on with its word, as in fairseq (`GPT2BPE.is_beginning_of_word`). A text's first piece begins a
    word whatever it is.
    """
    flags = np.zeros(vocab_size, dtype=np.bool_)
    vocabulary = backend.get_vocab()
    kind = kind_of(backend)
    if kind == "WordPiece":
        prefix = backend.model.continuing_subword_prefix
        flags[[i for token, i in vocabulary.items() if token.startswith(prefix)]] = True
        alone = backend.token_to_id(prefix)
        if alone is not None:
            flags[alone] = False
        return flags
    opening = BYTE_BLANK if kind == "byte-level BPE" else BLANK
    inside = [i for token, i in vocabulary.items() if not token.startswith((opening, " "))]
    flags[inside] = True
    return flags


def _step(part: Any, name: str) -> dict[str, Any] | None:
    """The settings of one step of a normaliser or splitter, None where it has no such step."""
    return None if part is None else _find(json.loads(part.__getstate__()), name)


def _find(state: Any, name: str) -> dict[str, Any] | None:
    if isinstance(state, list):
        return next((found for item in state if (found := _find(item, name))), None)
    if not isinstance(state, dict):
        return None
    return state if state.get("type") == name else _find(list(state.values()), name)
