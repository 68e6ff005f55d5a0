from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from unmask.errors import DataError, UsageError
from unmask.text.config import TokenizerConfig
from unmask.text.special import SpecialTokens
from unmask.text.train import train_wordpiece

TEXTS = [
    "The cat sat on the mat; the cats sat on the mats.",
    "Unbelievable! A café, naïve déjà vu... “quoted” — and more: 1234, 5678.",
    "She sells sea shells by the sea shore, shells she sells are surely sea shells.",
]


def test_the_vocabulary_starts_with_specials_then_characters_then_merges() -> None:
    tokens = list(
        train_wordpiece(["aab aab", "aab ab"], TokenizerConfig(vocab_size=20)).vocabulary()
    )
    assert tokens == [*SpecialTokens().all(), "a", "b", "##a", "##b", "##ab", "aab"]


def test_every_word_of_the_text_can_be_written() -> None:
    tokenizer = train_wordpiece(TEXTS, TokenizerConfig(vocab_size=80))
    for text in TEXTS:
        assert tokenizer.special.unk not in tokenizer.encode(text)
    assert tokenizer.vocab_size == 80
    assert tokenizer.token_to_id("the") is not None


@pytest.mark.parametrize("lowercase", [True, False])
def test_case_and_accents_follow_the_setting(lowercase: bool) -> None:
    tokenizer = train_wordpiece(TEXTS, TokenizerConfig(vocab_size=200, lowercase=lowercase))
    assert tokenizer.lowercase is lowercase
    assert (tokenizer.token_to_id("T") is None) is lowercase
    assert (tokenizer.token_to_id("##é") is None) is lowercase


def test_the_order_of_the_texts_does_not_matter() -> None:
    config = TokenizerConfig(vocab_size=150)
    first, second = train_wordpiece(TEXTS, config), train_wordpiece(iter(TEXTS[::-1]), config)
    assert first.vocabulary() == second.vocabulary()


def test_processes_and_threads_give_the_same_vocabulary() -> None:
    program = (
        "from unmask.text.train import train_wordpiece\n"
        "from unmask.text.config import TokenizerConfig\n"
        f"texts = {TEXTS!r} * 30\n"
        "config = TokenizerConfig(vocab_size=150, limit_alphabet=30)\n"
        "print(train_wordpiece(texts, config).sha256)"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "RAYON_NUM_THREADS": threads,
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "3")
    }
    assert len(hashes) == 1


def test_the_rarest_characters_beyond_the_limit_become_unknown() -> None:
    texts = ["aaaa bbb cc d e"]
    tokenizer = train_wordpiece(texts, TokenizerConfig(vocab_size=30, limit_alphabet=4))
    assert [tokenizer.token_to_id(c) is not None for c in "abcde"] == [True] * 4 + [False]
    assert tokenizer.encode("e") == [tokenizer.special.unk]


def test_words_with_a_character_that_is_left_out_teach_nothing() -> None:
    texts = ["aeb aeb aeb ab ba" + " aa bb" * 3]
    config = TokenizerConfig(vocab_size=30, limit_alphabet=2, min_frequency=2)
    vocabulary = train_wordpiece(texts, config).vocabulary()
    assert "aa" in vocabulary
    assert "ab" not in vocabulary  # as which aeb, without the e, would have counted


def test_a_text_whose_words_all_have_rare_characters_gives_its_characters_alone() -> None:
    config = TokenizerConfig(vocab_size=30, limit_alphabet=1)
    assert list(train_wordpiece(["ab ab"], config).vocabulary())[5:] == ["a"]


def test_what_the_alphabet_leaves_out_is_told_where_the_text_allows_less(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = TokenizerConfig(vocab_size=300, limit_alphabet=2)
    with caplog.at_level(logging.WARNING):
        train_wordpiece(["aab aab aab ab ac dab d"], config)
    assert "limit_alphabet 2 leaves out 2 character(s)" in caplog.text
    assert "42.86% of the words" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        train_wordpiece(["aab aab"], config)
    assert "limit_alphabet" not in caplog.text


@pytest.mark.parametrize("texts", [[], [""], ["\n \0 \ue000"]])
def test_a_text_without_words_is_refused(texts: list[str]) -> None:
    with pytest.raises(DataError, match="no word"):
        train_wordpiece(texts, TokenizerConfig(vocab_size=100))


def test_a_size_below_the_alphabet_is_refused_with_the_least_one() -> None:
    with pytest.raises(UsageError, match=r"10 is too small.* at least 11\b"):
        train_wordpiece(["abc bca"], TokenizerConfig(vocab_size=10))
    least = TokenizerConfig(vocab_size=11)
    assert train_wordpiece(["abc bca"], least).vocab_size == 11


def test_a_size_beyond_the_text_is_reported_with_the_real_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        tokenizer = train_wordpiece(TEXTS, TokenizerConfig(vocab_size=5000))
    assert tokenizer.vocab_size < 5000
    assert f"allows {tokenizer.vocab_size} entries, fewer than the 5000" in caplog.text


def test_pairs_rarer_than_the_least_frequency_are_not_merged() -> None:
    config = TokenizerConfig(vocab_size=60, min_frequency=3)
    vocabulary = train_wordpiece(["ab ab ab cd cd"], config).vocabulary()
    assert "ab" in vocabulary
    assert "cd" not in vocabulary


def test_lone_surrogates_and_control_characters_are_dropped() -> None:
    tokenizer = train_wordpiece(["ab\ud800 a\0b"], TokenizerConfig(vocab_size=20))
    assert list(tokenizer.vocabulary())[5:] == ["a", "b", "##b", "ab"]
