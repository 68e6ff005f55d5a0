from __future__ import annotations

from unmask.text.normalise import replace_surrogates


def test_each_lone_surrogate_becomes_one_replacement_character() -> None:
    assert replace_surrogates("a\ud83d\ude00é\udfff") == "a\ufffd\ufffdé\ufffd"


def test_clean_text_comes_back_as_it_is() -> None:
    for text in ("", "plain", "naïve \U0001f600 \0"):
        assert replace_surrogates(text) is text
