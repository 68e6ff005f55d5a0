from __future__ import annotations

import pytest

from unmask.search.words import stopwords_of, words_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's 3,5 %.", ["it", "s", "3", "5"]),
        ("Straße CAFÉ cafe\u0301", ["strasse", "café", "café"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("日本語abc", ["日", "本", "語", "abc"]),
        ("ｆｕｌｌ ﬁne", ["full", "fine"]),
        ("...", []),
    ],
)
def test_words_of_many_scripts(text: str, expected: list[str]) -> None:
    assert [word for _, _, word in words_of(text)] == expected


def test_places_are_those_in_the_text() -> None:
    text = "Ein ﬁnes Café."

    assert [text[a:b] for a, b, _ in words_of(text)] == ["Ein", "ﬁnes", "Café"]


def test_stopwords_of_a_language() -> None:
    pytest.importorskip("bm25s")

    assert "the" in stopwords_of("english")
    assert "und" in stopwords_of("german")
    assert stopwords_of("none") == frozenset()
