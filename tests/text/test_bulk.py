from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.text import fast
from unmask.text.bulk import BulkEncoder
from unmask.text.normalise import replace_surrogates
from unmask.text.tokenizer import Tokenizer

from .conftest import small_tokenizer

TOKENIZERS = {case: small_tokenizer(lowercase=case) for case in (True, False)}
ANY_TEXT = st.text(st.characters())  # every category, surrogates and unassigned included
WORDY_TEXT = st.text(
    st.sampled_from("aAeéb cd\u0301\u0327.’ \n\r\x0b\x7f[MASK]中가😀\ue000\ud800ΣİßÅ")
)


def assert_as_reference(tokenizer: Tokenizer, texts: list[str]) -> None:
    ids, lengths = tokenizer.encode_bulk(texts)
    assert ids.dtype == np.uint32
    assert lengths.dtype == np.int64
    ends = np.cumsum(lengths)
    assert lengths.shape == (len(texts),)
    assert lengths.sum() == len(ids)
    for text, end, length in zip(texts, ends, lengths, strict=True):
        clean = replace_surrogates(text)
        expected = tokenizer.backend.encode(clean, add_special_tokens=False).ids
        assert ids[end - length : end].tolist() == expected, ascii(text)


@pytest.mark.parametrize("lowercase", [True, False])
@settings(max_examples=150, deadline=None, derandomize=True)
@given(texts=st.lists(ANY_TEXT | WORDY_TEXT, max_size=6))
def test_any_texts_give_the_ids_of_tokenizers(lowercase: bool, texts: list[str]) -> None:
    assert_as_reference(TOKENIZERS[lowercase], texts)


@pytest.mark.parametrize("lowercase", [True, False])
def test_mixed_scripts_give_the_ids_of_tokenizers(lowercase: bool) -> None:
    generator = random.Random(5)
    stretches = [
        (0x20, 0x7F), (0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x1000),
        (0x2000, 0x2070), (0x3000, 0x9FFF), (0xAC00, 0xD7B0), (0xD800, 0xE100), (0xF900, 0x10000),
        (0x1F300, 0x1FB00), (0, 0x20), (0x7F, 0xA0), (0x20000, 0x110000),
    ]  # fmt: skip
    texts = []
    for _ in range(4000):
        text = ""
        for _ in range(generator.randrange(8)):
            stretch = generator.choice(stretches)
            text += "".join(chr(generator.randrange(*stretch)) for _ in range(3))
            text += generator.choice(("", " ", "\n", "the cat", "[SEP]"))
        texts.append(text)
    assert_as_reference(TOKENIZERS[lowercase], texts)


def test_no_text_and_empty_texts_have_no_ids(tokenizer: Tokenizer) -> None:
    for texts in ([], [""], ["", "\n", "\ue000\n"]):
        ids, lengths = tokenizer.encode_bulk(texts)
        assert len(ids) == 0
        assert lengths.tolist() == [0] * len(texts)


def test_an_odd_character_slows_its_own_line_only(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tokie")
    seen: list[str] = []
    bulk = BulkEncoder(tokenizer.backend)
    slowly = bulk._encode_slowly
    monkeypatch.setattr(
        bulk, "_encode_slowly", lambda texts: (seen.extend(texts), slowly(texts))[1]
    )
    ids, _ = bulk.encode(["the cat\nsat \ue000a\nthe cat", "the cat"])
    assert seen == ["sat \ue000a"]
    tokens = [tokenizer.id_to_token(i) for i in ids.tolist()]
    assert tokens == ["the", "cat", "sat", "a", "the", "cat", "the", "cat"]


def test_without_tokie_the_ids_are_the_same(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["the cat", "é [SEP]", "\ud800a\ue000", ""]
    ids, lengths = tokenizer.encode_bulk(texts)
    monkeypatch.setattr(fast, "tokie", None)
    slow_ids, slow_lengths = BulkEncoder(tokenizer.backend).encode(texts)
    assert (ids.tolist(), lengths.tolist()) == (slow_ids.tolist(), slow_lengths.tolist())
