"""Each family's tokenizer beside transformers' own, in the files that it comes in."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
import transformers
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from unmask.text.tokenizer import Tokenizer

from .families import (
    FAMILIES,
    GLUE,
    ODD,
    SYLLABLES,
    deberta_v2,
    deberta_v2_normalised,
    texts,
    xlm_roberta,
)

OWN_PAIRS = {"deberta": "[CLS] a [SEP] b [SEP]"}
"""Where transformers' class puts two separators between texts, and the published model one."""

MARKS = ["▁", "Ġ", "##", "\0", "\x85", "\u2028", "\u3000", "\u0301", "\ufffd", "``", "İ", "ẞ"]
"""Of pieces and of white space, and what normalising makes longer or drops."""
PARTS = st.lists(
    st.text(max_size=8) | st.sampled_from([*SYLLABLES, *ODD, *GLUE, *MARKS]), max_size=8
)
"""Of a text: any characters, and what the vocabularies were learned from."""


@pytest.fixture(params=list(FAMILIES))
def family(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    folder = tmp_path / request.param
    folder.mkdir()
    FAMILIES[request.param][1](folder)
    return request.param, folder


@pytest.fixture(
    scope="module", params=["bert", "roberta", "modernbert", "albert", "xlm-roberta", "deberta-v2"]
)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Tokenizer, Any]:
    """Our tokenizer of a family's files and transformers'."""
    folder = tmp_path_factory.mktemp(request.param)
    FAMILIES[request.param][1](folder)
    return Tokenizer.load(folder), AutoTokenizer.from_pretrained(folder)


def assert_equal(ours: Tokenizer, theirs: Any, pair: str | None = None) -> None:
    for text in texts(1, 150):
        assert_equal_in(text, ours, theirs)
    first, second = ours.encode("kelmor the"), ours.encode("The and")
    assert ours.layout.single(first).tolist() == theirs("kelmor the")["input_ids"]
    whole = ours.layout.pair(ours.encode("a"), ours.encode("b"))
    if pair is None:
        assert ours.layout.pair(first, second).tolist() == theirs("kelmor the", "The and").input_ids
        assert whole.tolist() == theirs("a", "b")["input_ids"]
    else:
        assert [ours.id_to_token(i) for i in whole] == pair.split()
    special = ours.special
    roles = [special.pad, special.unk, special.cls, special.sep, special.mask]
    assert roles == [getattr(theirs, f"{role}_token_id") for role in vars(ours.special_tokens)]
    assert ours.vocab_size == len(theirs)


def assert_equal_in(text: str, ours: Tokenizer, theirs: Any) -> None:
    expected = theirs(text, return_offsets_mapping=True, add_special_tokens=False)
    found = ours.encode_with_offsets(text)
    assert found.ids == expected["input_ids"], text
    assert found.offsets == [tuple(place) for place in expected["offset_mapping"]], text
    assert ours.encode(text) == ours.encode_bulk([text])[0].tolist() == found.ids
    if found.ids:
        assert ours.decode(found.ids) == theirs.decode(found.ids, skip_special_tokens=True)


def assert_equal_masks(ours: Tokenizer, theirs: Any) -> None:
    mask = ours.mask_token
    parts = texts(2, 60)
    masked = [f"{a}{mask}{b}{mask} {c}" for a, b, c in zip(parts, parts[20:], parts[40:])]  # noqa: B905
    for text in [f"Paris is the {mask} of France.", mask, f" {mask} {mask}", f"a{mask}b", *masked]:
        assert ours.encode_with_mask(text) == theirs(text, add_special_tokens=False)["input_ids"]


def test_the_familys_files_give_the_ids_of_transformers(family: tuple[str, Path]) -> None:
    name, folder = family
    ours, theirs = Tokenizer.load(folder), AutoTokenizer.from_pretrained(folder)
    assert_equal(ours, theirs, OWN_PAIRS.get(name))
    if name != "deberta":  # whose class leaves the blank before a mask, where no file says so
        assert_equal_masks(ours, theirs)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(parts=PARTS)
def test_any_text_gives_the_ids_and_places_of_transformers(
    both: tuple[Tokenizer, Any], parts: list[str]
) -> None:
    ours, theirs = both
    text, masked = "".join(parts), ours.mask_token.join(parts)
    # Where a text has them, transformers takes them for its own, and here they stay text.
    assume(not any(token in text for token in ours.special_tokens.all()))
    assert_equal_in(text, ours, theirs)
    assert ours.encode_with_mask(masked) == theirs(masked, add_special_tokens=False)["input_ids"]


def test_transformers_reads_what_is_saved(family: tuple[str, Path], tmp_path: Path) -> None:
    name, folder = family
    ours = Tokenizer.load(folder)
    ours.save(tmp_path / "saved")
    shutil.copy(folder / "config.json", tmp_path / "saved")
    again = Tokenizer.load(tmp_path / "saved")
    assert again.sha256 == ours.sha256
    assert (again.kind, again.layout, again.special) == (ours.kind, ours.layout, ours.special)
    general = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert_equal(again, general)
    assert_equal_masks(again, general)
    own = getattr(transformers, FAMILIES[name][0]).from_pretrained(tmp_path / "saved")
    assert_equal(again, own, OWN_PAIRS.get(name))
    assert_equal_masks(again, own)


def test_what_transformers_saves_is_read(family: tuple[str, Path], tmp_path: Path) -> None:
    _, folder = family
    theirs = AutoTokenizer.from_pretrained(folder)
    theirs.save_pretrained(tmp_path / "saved")
    ours = Tokenizer.load(tmp_path / "saved")
    assert_equal(ours, theirs)
    assert_equal_masks(ours, theirs)


def test_special_tokens_in_a_text_stay_text(family: tuple[str, Path]) -> None:
    ours = Tokenizer.load(family[1])
    special = ours.special.all() - {ours.special.unk}
    for token in ours.special_tokens.all():
        for text in (token, f"the{token}er", f" {token} {token}"):
            assert special.isdisjoint(ours.encode(text)), text
            masked = ours.encode_with_mask(text)
            if token == ours.mask_token:
                assert masked.count(ours.require_mask()) == text.count(token)
            assert special.isdisjoint(set(masked) - {ours.require_mask()})


def test_a_word_is_opened_by_its_first_piece_alone(family: tuple[str, Path]) -> None:
    _, folder = family
    ours = Tokenizer.load(folder)
    words = ["the", "sat", "kelmor", "quoretsul", "cat", "un", "gutis"]
    ids, sizes = ours.encode_words(words)
    starts = np.cumsum(sizes) - sizes
    opens = ~ours.is_continuation[ids]
    assert opens[starts].all()
    assert opens.sum() == len(words)
    assert ours.encode(" ".join(["a", *words]))[-len(ids) :] == ids.tolist()


def test_words_are_encoded_as_transformers_encodes_split_words(
    family: tuple[str, Path],
) -> None:
    name, folder = family
    ours = Tokenizer.load(folder)
    more = {"add_prefix_space": True} if ours.kind == "byte-level BPE" else {}
    theirs = AutoTokenizer.from_pretrained(folder, **more)
    if name == "modernbert":  # a general class reads no such setting
        parts = json.loads((folder / "tokenizer.json").read_text())
        parts["pre_tokenizer"]["add_prefix_space"] = True
        (folder / "tokenizer.json").write_text(json.dumps(parts))
        theirs = AutoTokenizer.from_pretrained(folder)
    words = ["Kelmor", ",", "the", "Café", "12,", "gutis", ".", "X"]
    ids, sizes = ours.encode_words(words)
    expected = theirs(words, is_split_into_words=True, add_special_tokens=False)
    assert ids.tolist() == expected["input_ids"]
    assert np.repeat(np.arange(len(words)), sizes).tolist() == expected.word_ids()


@pytest.mark.parametrize("write", [xlm_roberta, deberta_v2, deberta_v2_normalised])
def test_ids_are_those_of_sentencepiece_itself(
    write: Callable[[Path], None], tmp_path: Path
) -> None:
    write(tmp_path)
    ours = Tokenizer.load(tmp_path)
    (file,) = tmp_path.glob("*.model")
    reference = sentencepiece.SentencePieceProcessor(model_file=str(file))
    shift = 1 if write is xlm_roberta else 0
    known = 0
    for text in texts(3, 150):
        theirs = reference.encode(text)
        if reference.unk_id() in theirs:
            continue  # of neighbouring unknown characters one makes a token each, the other one
        known += 1
        assert ours.encode(text) == [i + shift for i in theirs], text
    assert known > 30


def test_debertas_text_is_normalised_by_its_file(tmp_path: Path) -> None:
    deberta_v2_normalised(tmp_path)
    ours = Tokenizer.load(tmp_path)
    assert ours.encode("ｔｈｅ ﬁne…") == ours.encode("the fine...")


def test_albert_splits_a_comma_from_a_number(tmp_path: Path) -> None:
    def field(number: int, value: bytes) -> bytes:
        return bytes([number << 3 | 2, len(value)]) + value

    def piece(text: str, score: float, kind: int) -> bytes:
        scored = b"\x15" + struct.pack("<f", score)
        return field(1, field(1, text.encode()) + scored + bytes([3 << 3, kind]))

    special = [piece("<pad>", 0, 3), piece("<unk>", 0, 2)]
    special += [piece(text, 0, 3) for text in ("[CLS]", "[SEP]", "[MASK]")]
    learned = [piece(text, -1, 1) for text in ("▁1", "2", "2,", ",", "▁a,", "▁")]
    trainer = field(2, b"\xc0\x02\x01")  # unk_id 1
    (tmp_path / "spiece.model").write_bytes(b"".join([*special, *learned, trainer, field(3, b"")]))
    ours = Tokenizer.load(tmp_path)
    tokens = [ours.id_to_token(i) for i in ours.encode("12, a,")]
    assert tokens == ["▁1", "2", ",", "▁a,"]


def test_a_real_byte_level_vocabulary_gives_the_ids_of_transformers(
    tmp_path: Path, gpt2_vocabulary: Path
) -> None:
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = json.loads((gpt2_vocabulary / "encoder.json").read_text(encoding="utf-8"))
    learned = [token for token in vocabulary if token != "<|endoftext|>"]
    whole = {token: i for i, token in enumerate([*special, *learned, "<mask>"])}
    (tmp_path / "vocab.json").write_text(json.dumps(whole))
    shutil.copy(gpt2_vocabulary / "vocab.bpe", tmp_path / "merges.txt")
    mask = {"content": "<mask>", "lstrip": True, "__type": "AddedToken"}
    (tmp_path / "config.json").write_text('{"model_type": "roberta"}')
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"mask_token": mask}))
    ours, theirs = Tokenizer.load(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    assert ours.vocab_size == 50261
    assert_equal(ours, theirs)
    assert_equal_masks(ours, theirs)
