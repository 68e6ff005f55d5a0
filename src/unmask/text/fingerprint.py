"""A hash of all that decides a tokenizer's ids."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from tokenizers import Tokenizer as Backend

from unmask.text.layout import Layout

_DECIDING = ("normalizer", "pre_tokenizer", "model", "added_tokens")


def fingerprint(backend: Backend, special: tuple[str, ...], layout: Layout | None) -> str:
    """A sha256, the same after saving and loading; the layout counts where it is not BERT's."""
    parts = json.loads(backend.to_str())
    kept: dict[str, Any] = {key: parts[key] for key in _DECIDING}
    if kept["model"].get("type") == "Unigram":
        # As SentencePiece has them: `tokenizers` reads back other last digits than it wrote.
        pieces = kept["model"]["vocab"]
        kept["model"]["vocab"] = [(piece, float(np.float32(score))) for piece, score in pieces]
    kept["special"] = special
    if layout is not None:
        kept["layout"] = [layout.start, layout.between, layout.end]
    canonical = json.dumps(kept, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
