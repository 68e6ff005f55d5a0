from __future__ import annotations

import pytest

from unmask.errors import DataError
from unmask.text.special import SpecialIds, SpecialTokens

VOCABULARY = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}


def test_a_missing_mask_is_none_and_not_among_all() -> None:
    ids = SpecialIds.of(SpecialTokens(), VOCABULARY, "vocab.txt")
    assert ids.mask is None
    assert ids.all() == {0, 1, 2, 3}


def test_a_missing_unknown_token_is_named() -> None:
    with pytest.raises(DataError, match=r"vocab\.txt.*`\[UNK\]`"):
        SpecialIds.of(SpecialTokens(), {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2}, "vocab.txt")


def test_names_are_read_as_text_or_as_objects() -> None:
    settings = {"mask_token": {"content": "<mask>", "lstrip": True}, "cls_token": "<s>"}
    special = SpecialTokens.from_settings(settings, "tokenizer_config.json")
    assert (special.mask, special.cls, special.sep) == ("<mask>", "<s>", "[SEP]")


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(DataError, match="sep_token"):
        SpecialTokens.from_settings({"sep_token": 7}, "tokenizer_config.json")
