from __future__ import annotations

import doctest
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.text import words
from unmask.text.normalise import replace_surrogates
from unmask.text.words import count_words

from .conftest import small_tokenizer

BACKEND = small_tokenizer(lowercase=True).backend
TEXTS = st.lists(
    st.text(st.characters()) | st.text(st.sampled_from("aAé\u0301 \t\n\x0b\x0c\x1c\x85."))
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(TEXTS)
def test_counts_are_those_of_tokenizers_on_whole_texts(texts: list[str]) -> None:
    expected: Counter[str] = Counter()
    for text in texts:
        normal = BACKEND.normalizer.normalize_str(replace_surrogates(text))
        expected.update(word for word, _ in BACKEND.pre_tokenizer.pre_tokenize_str(normal))
    assert count_words(texts, BACKEND, 10**9) == expected


def test_counts_do_not_depend_on_how_much_is_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["the cat sat", "The cat.", "a b c the"]
    whole = count_words(texts, BACKEND, 100)
    monkeypatch.setattr(words, "_MOST_CHUNKS", 1)
    assert count_words(texts, BACKEND, 100) == whole
    assert whole["the"] == 3


def test_beyond_a_bound_the_rarest_words_are_forgotten_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(words, "_MOST_WORDS", 8)
    monkeypatch.setattr(words, "_MOST_CHUNKS", 1)
    texts = [f"the cat w{i}a w{i}b" for i in range(100)]
    counts = count_words(texts, BACKEND, 100)
    assert (counts["the"], counts["cat"]) == (100, 100)
    assert len(counts) <= 8
    assert "more than 8 distinct words" in caplog.text


def test_the_worked_example_of_forgetting_holds() -> None:
    result = doctest.testmod(words)
    assert result.attempted > 0
    assert result.failed == 0


def test_words_that_encoding_would_not_look_at_are_left_out() -> None:
    assert count_words(["aaa aaaa"], BACKEND, 3) == {"aaa": 1}
