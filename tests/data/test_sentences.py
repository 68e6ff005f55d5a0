"""Sentences end where readers say they end, and cutting there changes no token."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.data.sentences import split
from unmask.text.tokenizer import Tokenizer

UNMASK_DATA = os.environ.get("UNMASK_DATA")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [""]),
        ("One.", ["One."]),
        ("One. Two! Three?", ["One. ", "Two! ", "Three?"]),
        ('"Stop!" He ran. "Why?" she asked.', ['"Stop!" ', "He ran. ", '"Why?" she asked.']),
        ("He said (so.) Then left.", ["He said (so.) ", "Then left."]),
        ("“Oui.” ‘Non.’ Élan.", ["“Oui.” ", "‘Non.’ ", "Élan."]),
        ("Mr. Smith met Mrs. J. R. Jones.", ["Mr. Smith met Mrs. J. R. Jones."]),
        ("St. Ives. Dr. No.", ["St. Ives. ", "Dr. No."]),
        ("It cost 3.50 e.g. there. 7 came.", ["It cost 3.50 e.g. there. ", "7 came."]),
        ("Wait... no. Well... Yes.", ["Wait... no. ", "Well... ", "Yes."]),
        ("a line\nwrapped on. Next", ["a line\nwrapped on. ", "Next"]),
        ("ends here.\nlower goes on", ["ends here.\n", "lower goes on"]),
        ("title\n\nbody\n \t\n\n  more", ["title\n\n", "body\n \t\n\n  ", "more"]),
        ("by Mr.\nSmith", ["by Mr.\nSmith"]),
        ("end.\n\nnext", ["end.\n\n", "next"]),
        ("一。二！三？」四", ["一。", "二！", "三？」", "四"]),
        ("Он ушёл. Она нет.", ["Он ушёл. ", "Она нет."]),
    ],
)
def test_sentences_end_where_a_reader_says(text: str, expected: list[str]) -> None:
    assert split(text) == expected


MARKS = [
    "a",
    "B",
    "7",
    ".",
    "!",
    "?",
    "。",
    '"',
    "'",
    "”",
    ")",
    " ",
    "\n",
    "\t",
    "\r",
    "Mr",
    "é",
    "字",
]
texts = st.one_of(
    st.lists(st.sampled_from(MARKS), max_size=60).map("".join),
    st.text(max_size=60),
)


@given(texts)
@settings(deadline=None)
def test_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(split(text)) == text


@pytest.fixture(scope="module")
def bert() -> Tokenizer:
    if UNMASK_DATA is None:
        pytest.skip("UNMASK_DATA is not set: no real vocabulary to compare with")
    return Tokenizer.load(Path(UNMASK_DATA, "bert-assets", "bert-base-uncased-vocab.txt"))


@given(text=texts)
@settings(deadline=None, max_examples=300)
def test_tokens_of_sentences_are_the_tokens_of_the_text(bert: Tokenizer, text: str) -> None:
    ids, _ = bert.encode_bulk(split(text))
    assert ids.tolist() == bert.encode(text)


@pytest.mark.parametrize(
    "text", ["One. " * 400_000, "a" * 2_000_000, "\n \t" * 700_000, "." * 10**6]
)
def test_splitting_takes_linear_time(text: str) -> None:
    started = time.process_time()
    split(text)
    assert time.process_time() - started < 2.0
