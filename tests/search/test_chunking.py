from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.search.embedders import Bag

from unmask.search.chunking import budget_of, passages_of, read_title, sentences_of
from unmask.search.config import ChunkConfig
from unmask.search.documents import Document

PIECES = st.sampled_from(
    ["word", "Another", "x", ". ", "! ", "\n", "\n\n", " ", "  ", "é", "名前。", "a" * 40, "(", "7"]
)
TEXTS = st.lists(PIECES, min_size=1, max_size=200).map("".join).filter(str.strip)


def parts(text: str, *, title: str = "", max_length: int = 24, **settings: object) -> list[str]:
    config = ChunkConfig.model_validate(settings)
    spans = passages_of(Document("d", text, title), Bag(max_length=max_length), config)
    return [text[span.start : span.end] for span in spans]


@given(TEXTS, st.sampled_from(["sentences", "tokens"]), st.integers(8, 24), st.integers(0, 4))
@settings(max_examples=150, deadline=None)
def test_passages_fit_and_lose_nothing(text: str, by: str, most: int, overlap: int) -> None:
    bag = Bag(max_length=24)
    config = ChunkConfig.model_validate({"by": by, "max_tokens": most, "overlap_tokens": overlap})

    spans = passages_of(Document("d", text), bag, config)

    covered: set[int] = set()
    for span in spans:
        passage = text[span.start : span.end]
        assert passage == passage.strip() != ""
        assert len(bag.spans(passage)) <= most
        covered.update(range(span.start, span.end))
    assert {i for i, letter in enumerate(text) if not letter.isspace()} <= covered
    for before, after in itertools.pairwise(spans):
        assert before.start < after.start
        assert before.end < after.end
        shared = text[after.start : before.end] if after.start < before.end else ""
        assert len(bag.spans(shared)) <= overlap


def test_a_short_document_is_one_passage_without_the_space_around_it() -> None:
    assert parts("\n  One. Two.  \n") == ["One. Two."]


def test_passages_are_whole_sentences_as_far_as_they_fit() -> None:
    text = "One two three. Four five six. Seven eight nine."

    assert parts(text, max_tokens=8, overlap_tokens=0) == [
        "One two three. Four five six.",
        "Seven eight nine.",
    ]


def test_a_passage_begins_with_the_last_sentences_of_the_one_before() -> None:
    text = "One two three. Four five six. Seven eight nine."

    assert parts(text, max_tokens=8, overlap_tokens=4) == [
        "One two three. Four five six.",
        "Four five six. Seven eight nine.",
    ]


def test_a_sentence_that_is_too_long_is_cut_between_words() -> None:
    text = " ".join(f"w{i}" for i in range(20)) + "."

    found = parts(text, max_tokens=8, overlap_tokens=0)

    assert found[0] == "w0 w1 w2 w3 w4 w5 w6 w7"
    assert " ".join(found) == text


def test_windows_of_tokens_take_no_notice_of_sentences() -> None:
    text = "One two three. Four five six. Seven eight nine."

    assert parts(text, by="tokens", max_tokens=8, overlap_tokens=2)[:2] == [
        "One two three. Four five six.",
        "six. Seven eight nine.",
    ]


def test_a_document_can_stay_whole() -> None:
    text = "word " * 100

    assert parts(text, by="document") == [text.strip()]


def test_the_title_takes_its_tokens_from_the_passages_and_at_most_half() -> None:
    bag, config = Bag(max_length=24), ChunkConfig()
    short, long = Document("d", "x", "A title"), Document("d", "x", "word " * 100)

    assert budget_of(short, bag, config) == 22
    assert budget_of(long, bag, config) == 12
    assert read_title(short, bag, config) == "A title"
    assert read_title(long, bag, config) == ("word " * 12).strip()
    found = parts("one " * 50, title="word " * 100)
    assert max(len(bag.spans(passage)) for passage in found) == 12


def test_one_million_characters_are_cut_in_seconds() -> None:
    sentence = "Lorem ipsum dolor sit amet, consectetur adipisici elit. "
    text = sentence * (1_000_000 // len(sentence) + 1)
    started = time.process_time()

    found = parts(text, max_length=256, overlap_tokens=0)

    assert " ".join(found) == text.strip()
    assert time.process_time() - started < 20


@pytest.mark.parametrize("by", ["sentences", "tokens"])
def test_one_million_letters_without_a_space_are_one_word(by: str) -> None:
    assert parts("a" * 1_000_000, by=by) == ["a" * 1_000_000]


def test_passages_overlap_by_half_at_most() -> None:
    text = " ".join(f"w{i}" for i in range(20))

    assert parts(text, by="tokens", max_tokens=8, overlap_tokens=100)[1].startswith("w4 ")


def test_sentences_have_no_space_around_them() -> None:
    text = " One. \n\n Two! "

    assert [text[s.start : s.end] for s in sentences_of(text)] == ["One.", "Two!"]
