from __future__ import annotations

import logging
import random
import unicodedata
from typing import Any

import pytest

from unmask.text import fast
from unmask.text.config import TokenizerConfig
from unmask.text.special import SpecialTokens
from unmask.text.tokenizer import Tokenizer
from unmask.text.wordpiece import build

pytest.importorskip("tokie")

COVERED = [chr(i) for first, last in fast.COVERED_RANGES for i in range(first, last + 1)]


def every_character_tokenizer(*, lowercase: bool) -> Tokenizer:
    """Has a piece for each character that normalising can give, so that no difference hides."""
    characters = set(COVERED)
    for character in COVERED:
        for form in (character, unicodedata.normalize("NFD", character)):
            characters |= set(form) | set(form.lower())
    pieces = [*SpecialTokens().all(), *sorted(characters)]
    pieces += ["##" + character for character in sorted(characters)]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    special = SpecialTokens()
    return Tokenizer(build(vocabulary, TokenizerConfig(lowercase=lowercase), special), special)


@pytest.fixture(scope="module", params=[True, False], ids=["uncased", "cased"])
def sensitive(request: pytest.FixtureRequest) -> Tokenizer:
    return every_character_tokenizer(lowercase=request.param)


def contexts(c: str) -> str:
    alone = f"{c} a{c}b {c}{c} .{c}. É{c}É"
    with_marks = f"{c}\u0301a Un{c}\u0327s A\u030a{c}\u0327"
    return f"{alone} {with_marks} ΑΣ{c}Σ. 가{c}각中{c}"


def assert_equal_ids(tokenizer: Tokenizer, texts: list[str]) -> None:
    encoder = fast.build(tokenizer.backend)
    assert encoder is not None
    assert all(encoder.covers(text) for text in texts)
    ids, lengths = encoder.encode(texts)
    encodings = tokenizer.backend.encode_batch_fast(texts, add_special_tokens=False)
    start = 0
    for text, length, encoding in zip(texts, lengths.tolist(), encodings, strict=True):
        assert ids[start : start + length].tolist() == encoding.ids, ascii(text[:200])
        start += length
    assert start == len(ids)


def test_each_covered_character_gives_equal_ids_in_every_context(sensitive: Tokenizer) -> None:
    assert len(COVERED) > 43_000
    width = 32
    texts = [
        " ".join(map(contexts, COVERED[start : start + width]))
        for start in range(0, len(COVERED), width)
    ]
    assert_equal_ids(sensitive, texts)


def test_words_around_the_longest_length_give_equal_ids(sensitive: Tokenizer) -> None:
    sample = COVERED[:0x300] + random.Random(1).sample(COVERED, 800)
    texts = [
        f"{'x' * 99}{c} {'x' * 100}{c} {c * 50} {c * 99} {c * 100} {c * 101} y" for c in sample
    ]
    assert_equal_ids(sensitive, texts)


def test_random_covered_texts_give_equal_ids(sensitive: Tokenizer) -> None:
    assert_equal_ids(sensitive, covered_texts(seed=2, number=3000))


@pytest.mark.parametrize("max_word_length", [1, 5, 20, 200])
def test_other_longest_words_give_equal_ids(max_word_length: int) -> None:
    special = SpecialTokens()
    pieces = [*special.all(), "a", "##a", "##aa", "é", "##é", "e", "##e", "aé"]
    config = TokenizerConfig(max_word_length=max_word_length)
    backend = build({piece: i for i, piece in enumerate(pieces)}, config, special)
    lengths = (1, 2, max_word_length - 1, max_word_length, max_word_length + 1)
    texts = [letter * n + " a" for letter in ("a", "é", "É") for n in lengths]
    assert_equal_ids(Tokenizer(backend, special), texts)


def test_the_real_vocabulary_gives_equal_ids(bert_vocabulary: Any) -> None:
    tokenizer = Tokenizer.load(bert_vocabulary)
    pieces = list(tokenizer.vocabulary())
    generator = random.Random(3)
    texts = [" ".join(generator.choices(pieces, k=30)).replace(" ##", "") for _ in range(1500)]
    texts = [text for text in texts if fast.Encoder.covers(text)]
    assert len(texts) > 200
    assert_equal_ids(tokenizer, texts + covered_texts(seed=4, number=500))


def covered_texts(seed: int, number: int) -> list[str]:
    """Words of letters, marks and symbols from a few neighbourhoods, glued in every way."""
    generator = random.Random(seed)
    ascii_letters = [chr(i) for i in range(0x20, 0x7F)]
    glue = ["", " ", "\n", "\t", "\r\n", "\u00a0", "\u2009", "\u200b", "\u00ad", "\0", "\x0b", "-"]
    pools = [ascii_letters, COVERED[0x7F : 0x7F + 0x2D0], COVERED, ["\u0301", "\u0327", "\u3099"]]
    pools += [["[SEP]", "[MASK]", "[CLS]", "[PAD]", "[UNK]", "##", "##a"]]
    texts = [""]
    while len(texts) < number:
        text = ""
        for _ in range(generator.randrange(1, 30)):
            pool = generator.choices(pools, weights=(8, 4, 2, 1, 1))[0]
            text += "".join(generator.choices(pool, k=generator.randrange(1, 9)))
            text += generator.choice(glue)
        if fast.Encoder.covers(text):
            texts.append(text)
    return texts


@pytest.mark.parametrize(
    "text", ["\x7f", "a\x85", "\ud800", "\ue000", "\u0378", "\u2e53", "\U0001fae8", "é\x7f"]
)
def test_characters_that_may_differ_are_not_covered(text: str) -> None:
    assert not fast.Encoder.covers(text)


def test_all_covered_characters_are_assigned() -> None:
    unassigned = [c for c in COVERED if unicodedata.category(c) in ("Cn", "Co", "Cs")]
    assert unassigned == []


@pytest.mark.parametrize(
    "setting",
    [
        {"strip_accents": False},
        {"lowercase": False, "strip_accents": True},
        {"split_chinese_characters": False},
    ],
)
def test_settings_that_tokie_does_not_follow_have_no_fast_path(setting: dict[str, bool]) -> None:
    special = SpecialTokens()
    vocabulary = {piece: i for i, piece in enumerate(special.all())}
    assert fast.build(build(vocabulary, TokenizerConfig(**setting), special)) is None


def test_added_tokens_that_match_in_text_have_no_fast_path(tokenizer: Tokenizer) -> None:
    backend = type(tokenizer.backend).from_str(tokenizer.backend.to_str())
    backend.encode_special_tokens = True
    assert fast.build(backend) is not None
    backend.add_tokens(["cat"])
    assert fast.build(backend) is None


def test_a_tokie_that_disagrees_is_not_used_and_the_log_says_so(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = every_character_tokenizer(lowercase=False)
    engine = fast.build(other.backend)
    assert engine is not None
    monkeypatch.setattr(fast, "Encoder", lambda _: engine)
    with caplog.at_level(logging.WARNING):
        assert fast.build(tokenizer.backend) is None
    assert "slower" in caplog.text


def test_without_tokie_there_is_no_fast_path(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast, "tokie", None)
    assert fast.build(tokenizer.backend) is None


def test_a_limit_on_words_beyond_what_is_proven_has_no_fast_path() -> None:
    special = SpecialTokens()
    vocabulary = {token: i for i, token in enumerate([*special.all(), "a"])}
    for limit, is_fast in [(4096, True), (10**13, False)]:
        backend = build(vocabulary, TokenizerConfig(max_word_length=limit), special)
        assert (fast.build(backend) is not None) is is_fast


def test_no_room_for_a_temporary_file_only_costs_speed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fast.tempfile, "TemporaryDirectory", full)
    special = SpecialTokens()
    vocabulary = {token: i for i, token in enumerate(special.all())}
    assert fast.build(build(vocabulary, TokenizerConfig(), special)) is None
    assert "No space left on device" in caplog.text
