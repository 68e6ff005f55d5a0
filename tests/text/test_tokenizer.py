from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, BertTokenizer

from unmask.errors import DataError
from unmask.text.config import TokenizerConfig
from unmask.text.special import SpecialTokens
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece
from unmask.text.wordpiece import build

from .conftest import PIECES, small_tokenizer

MASKED = [
    "a[MASK]b", " [MASK] ", "[MASK]", "", "[MASK][MASK] the [MASK]!", "##[MASK]##s", "caf[MASK]é",
    "The [MASK] sat.\n[MASK]", "[mask] [Mask] [MASK", "中[MASK]文 e[MASK]\u0301", "\ud800[MASK]",
]  # fmt: skip


def reference(lowercase: bool = True) -> BertTokenizer:
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(PIECES))}
    return BertTokenizer(vocab=vocabulary, do_lower_case=lowercase)


@pytest.mark.parametrize("special", ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
@pytest.mark.parametrize("pattern", ["{}", "the{}cat", " {} ", "{0}{0} {0}!"])
def test_special_tokens_in_a_text_stay_text(
    tokenizer: Tokenizer, special: str, pattern: str
) -> None:
    text = pattern.format(special)
    taken_apart = " ".join(
        pattern.replace("{0}", "{}").format(*[f"[ {special[1:-1]} ]"] * 3).split()
    )
    ids = tokenizer.encode(text)
    assert tokenizer.special.all().isdisjoint(set(ids) - {tokenizer.special.unk})
    assert ids == tokenizer.encode(taken_apart)
    assert tokenizer.encode_bulk([text])[0].tolist() == ids
    assert tokenizer.encode_with_offsets(text).ids == ids


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("text", MASKED)
def test_a_written_mask_gives_the_ids_of_transformers(text: str, lowercase: bool) -> None:
    tokenizer, theirs = small_tokenizer(lowercase=lowercase), reference(lowercase)
    clean = text.replace("\ud800", "\ufffd")
    assert tokenizer.encode_with_mask(text) == theirs(clean, add_special_tokens=False)["input_ids"]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.text(max_size=6) | st.just("[MASK]"), max_size=6).map("".join))
def test_any_text_with_masks_gives_the_ids_of_transformers(text: str) -> None:
    ids = small_tokenizer(lowercase=True).encode_with_mask(text)
    assert ids == reference()(text, add_special_tokens=False)["input_ids"]


def test_other_special_tokens_beside_a_mask_stay_text(tokenizer: Tokenizer) -> None:
    tokens = map(tokenizer.id_to_token, tokenizer.encode_with_mask("[SEP][MASK][CLS]"))
    assert list(tokens) == ["[", "sep", "]", "[MASK]", "[", "cls", "]"]


def test_without_a_mask_token_loading_works_and_masking_is_refused() -> None:
    special = SpecialTokens()
    backend = build({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}, TokenizerConfig(), special)
    tokenizer = Tokenizer(backend, special, place="vocab.txt")
    assert tokenizer.special.mask is None
    for use in (tokenizer.require_mask, lambda: tokenizer.encode_with_mask("a")):
        with pytest.raises(DataError, match=r"vocab\.txt: the vocabulary has no mask token"):
            use()


def test_offsets_are_code_points_of_the_original_text(tokenizer: Tokenizer) -> None:
    text = "\ud800 THE\0 \U0001f600 Cafe\u0301s 中文 [SEP]."
    encoded = tokenizer.encode_with_offsets(text)
    pieces = [text[start:stop] for start, stop in encoded.offsets]
    assert pieces[:2] == ["THE", "\U0001f600"]
    assert pieces[-6:] == ["中", "文", "[", "SEP", "]", "."]
    assert len(encoded.ids) == len(encoded.offsets) == len(encoded.word_ids)
    assert encoded.word_ids[:2] == [0, 1]


def test_pieces_of_one_word_share_its_number(tokenizer: Tokenizer) -> None:
    encoded = tokenizer.encode_with_offsets("the unbelievable cat")
    assert encoded.word_ids == [0, 1, 1, 1, 2]
    assert encoded.offsets == [(0, 3), (4, 6), (6, 12), (12, 16), (17, 20)]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, len(set(PIECES)) - 1), max_size=12), st.booleans())
def test_decoding_writes_what_transformers_writes(ids: list[int], skip: bool) -> None:
    ours = small_tokenizer(lowercase=True).decode(ids, skip_special_tokens=skip)
    assert ours == reference().decode(ids, skip_special_tokens=skip)


@pytest.mark.parametrize("lowercase", [True, False])
def test_save_and_load_is_the_identity(tmp_path: Path, lowercase: bool) -> None:
    first = small_tokenizer(lowercase=lowercase)
    first.save(tmp_path / "a")
    second = Tokenizer.load(tmp_path / "a")
    second.save(tmp_path / "b")
    assert second.sha256 == first.sha256
    assert second.vocabulary() == first.vocabulary()
    assert second.special == first.special
    assert second.lowercase is lowercase
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_vocab_txt_alone_gives_the_same_tokenizer(tmp_path: Path, tokenizer: Tokenizer) -> None:
    tokenizer.save(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    assert Tokenizer.load(tmp_path).sha256 == tokenizer.sha256
    assert Tokenizer.load(tmp_path / "vocab.txt").sha256 == tokenizer.sha256


def test_the_hash_tells_vocabularies_and_cases_apart(tokenizer: Tokenizer) -> None:
    assert small_tokenizer(lowercase=False).sha256 != tokenizer.sha256


@pytest.mark.parametrize(
    "config",
    [
        TokenizerConfig(),
        TokenizerConfig(lowercase=False),
        TokenizerConfig(strip_accents=False),
        TokenizerConfig(split_chinese_characters=False),
        TokenizerConfig(max_word_length=4),
    ],
)
def test_transformers_loads_the_folder_and_encodes_equally(
    tmp_path: Path, config: TokenizerConfig
) -> None:
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(PIECES))}
    ours = Tokenizer(build(vocabulary, config, SpecialTokens()), SpecialTokens(), 128)
    ours.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for text in [*MASKED, "The Café unbelievable 中文", "Äß ½ “a” b’s…"]:
        clean = text.replace("\ud800", "\ufffd")
        ids = theirs(clean)["input_ids"]
        assert [ours.special.cls, *ours.encode_with_mask(text), ours.special.sep] == ids
        assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=True)
    assert (theirs.mask_token_id, theirs.pad_token_id) == (ours.special.mask, ours.special.pad)
    assert theirs.model_max_length == 128
    assert len(theirs) == ours.vocab_size


def test_the_arrays_tell_continuations_and_specials(tokenizer: Tokenizer) -> None:
    vocabulary = tokenizer.vocabulary()
    continuing = {token for token, i in vocabulary.items() if tokenizer.is_continuation[i]}
    assert continuing == {p for p in PIECES if p.startswith("##") and p != "##"}
    special = {token for token, i in vocabulary.items() if tokenizer.is_special[i]}
    assert special == set(SpecialTokens().all())


def test_ids_and_tokens_are_looked_up_both_ways(tokenizer: Tokenizer) -> None:
    for token, i in tokenizer.vocabulary().items():
        assert tokenizer.token_to_id(token) == i
        assert tokenizer.id_to_token(i) == token
    assert tokenizer.token_to_id("no such piece") is None
    for outside in (-1, tokenizer.vocab_size):
        with pytest.raises(IndexError, match="outside"):
            tokenizer.id_to_token(outside)


def test_the_real_vocabulary_gives_the_ids_of_transformers(bert_vocabulary: Path) -> None:
    ours, theirs = Tokenizer.load(bert_vocabulary), BertTokenizer(str(bert_vocabulary))
    assert ours.vocab_size == 30522
    assert ours.special.all() == {0, 100, 101, 102, 103}
    for text in [*MASKED[:-1], "Paris is the [MASK] of France — naïve, isn’t it?"]:
        ids = theirs(text, add_special_tokens=False)["input_ids"]
        assert ours.encode_with_mask(text) == ids
        assert ours.decode(ids, skip_special_tokens=False) == theirs.decode(ids)


def test_spaces_are_closed_where_the_settings_ask_for_it(tmp_path: Path) -> None:
    text = "don't, it's me ! we ' ve won . i'm they 're"
    train_wordpiece([text] * 3, TokenizerConfig(vocab_size=60)).save(tmp_path)
    stored = json.loads((tmp_path / "tokenizer_config.json").read_text())
    stored["clean_up_tokenization_spaces"] = True
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(stored))
    ours, theirs = Tokenizer.load(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    ids = ours.encode(text)
    assert ours.decode(ids) == theirs.decode(ids)
    assert "don't, it's me!" in ours.decode(ids)
    ours.save(tmp_path / "again")
    assert Tokenizer.load(tmp_path / "again").decode(ids) == theirs.decode(ids)
