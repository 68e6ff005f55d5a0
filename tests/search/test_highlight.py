from __future__ import annotations

import pytest
from tests.search.embedders import Bag

from unmask.search.highlight import highlight


def test_the_words_of_the_query_and_the_nearest_sentence(bag: Bag) -> None:
    text = "The sea is wide. Sharks swim in the SEA. Nobody knows."

    (found,) = highlight("do sharks swim", [text], bag)

    assert [text[s.start : s.end] for s in found.words] == ["Sharks", "swim"]
    assert text[found.sentence.start : found.sentence.end] == "Sharks swim in the SEA."


def test_a_passage_of_one_sentence_costs_no_vector(bag: Bag) -> None:
    (found,) = highlight("fish", ["Sharks swim"], bag)

    assert (found.words, found.sentence.start, found.sentence.end) == ((), 0, 11)
    assert bag.encoded == 0


def test_each_passage_gets_its_own(bag: Bag) -> None:
    texts = ["One. Two.", "Alone", "Three. Four."]

    found = highlight("two four", texts, bag)

    sentences = [
        text[one.sentence.start : one.sentence.end] for text, one in zip(texts, found, strict=True)
    ]
    assert sentences == ["Two.", "Alone", "Four."]


def test_stopwords_are_not_marked(bag: Bag) -> None:
    pytest.importorskip("bm25s")

    (found,) = highlight("the sea", ["the sea"], bag, "english")

    assert [(s.start, s.end) for s in found.words] == [(4, 7)]


def test_nothing_to_mark(bag: Bag) -> None:
    assert highlight("sea", [], bag) == []
