"""Sentences end where readers say they end, and cutting there changes no token."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.data.sentences import split_in_parts
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece

UNMASK_DATA = os.environ.get("UNMASK_DATA")


def split(text: str) -> list[str]:
    return [sentence for part in split_in_parts(text, 7) for sentence in part]


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


@pytest.fixture(scope="module", params=[True, False], ids=["uncased", "cased"])
def learned(request: pytest.FixtureRequest) -> Tokenizer:
    """A vocabulary of the marks' own characters and some pieces of them."""
    alphabet = " ".join([*MARKS, *"Mrs Él x. A! “b”"])
    config = TokenizerConfig(vocab_size=120, lowercase=request.param, min_frequency=1)
    return train_wordpiece([alphabet, "Mr. aB 7a éa. B'a字"], config)


@given(text=texts)
@settings(deadline=None, max_examples=300)
def test_tokens_of_sentences_are_those_of_the_text_in_a_learned_vocabulary(
    learned: Tokenizer, text: str
) -> None:
    ids, _ = learned.encode_bulk(split(text))
    assert ids.tolist() == learned.encode(text)


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
    for _ in split_in_parts(text, 4096):
        pass
    assert time.process_time() - started < 2.0
