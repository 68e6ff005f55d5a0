"""Reading texts in which special tokens are text like any other, and at most the mask is not."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Tokenizer as Backend
from tokenizers import models

from unmask.text.normalise import replace_surrogates


def plain(backend: Backend) -> Backend:
    """A backend with the same ids for any text, and no special token for any.

    Only Unigram needs a copy: its search takes every piece that it finds in the text, "[SEP]"
    too, where SentencePiece leaves control symbols out of the search.
    """
    if not isinstance(backend.model, models.Unigram):
        return backend
    copy = _copy(backend, None)
    copy.encode_special_tokens = True
    return copy


class MaskReader:
    """Reads the mask token alone as a token, by its own rules (`lstrip`, ...)."""

    def __init__(self, backend: Backend, mask: str) -> None:
        """Copies the backend, whose other special tokens the copy does not know."""
        self._copy = _copy(backend, mask)
        ids = self._copy.get_vocab()
        # Without the others, tokens that were added behind the model's vocabulary move up.
        real = backend.get_vocab()
        self._moved = {i: real[token] for token, i in ids.items() if real.get(token, i) != i}

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""
        ids = self._copy.encode(replace_surrogates(text), add_special_tokens=False).ids
        return [self._moved.get(i, i) for i in ids]


def _copy(backend: Backend, mask: str | None) -> Backend:
    parts: dict[str, Any] = json.loads(backend.to_str())
    added = parts["added_tokens"]
    special = {token["content"] for token in added if token["special"]} - {mask}
    parts["added_tokens"] = [token for token in added if token["content"] not in special]
    if parts["model"].get("type") == "Unigram":
        # A piece with a blank is found nowhere, since blanks are replaced before the search.
        parts["model"]["vocab"] = [
            [f" {piece}" if piece in special else piece, score]
            for piece, score in parts["model"]["vocab"]
        ]
    copy = Backend.from_str(json.dumps(parts))
    copy.encode_special_tokens = False
    return copy
