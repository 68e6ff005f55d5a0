"""Sentences end where readers say they end, and cutting there changes no token."""

from __future__ import annotations

import os
import re
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.data import sentences
from unmask.data.sentences import passages, split
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece

UNMASK_DATA = os.environ.get("UNMASK_DATA")


# The rules of `split`, as one regular expression. An initial or a title ends no sentence.
TITLES = ("Mr", "Mrs", "Ms", "Dr", "St", "Prof", "Rev", "Capt", "Col", "Gen", "Lt", "Sgt")
END = re.compile(
    r"(?<=\n)[ \t\r]*\n\s*"  # a blank line
    r"|(?<=[。！？])[」』）”’]*\s*"  # needs no space after it
    r"|(?<=[.!?])(?<!\b[A-Z]\.)"
    + "".join(rf"(?<!\b{title}\.)" for title in TITLES)
    + r"[\"')\]’”»]*(?:[ \t]+(?=[\"'(\[‘“«A-Z0-9À-ÖØ-ÞΑ-ΩА-ЯЁ])|[ \t\r]*\n\s*)"
)


def split_by_expression(text: str) -> list[str]:
    ends = sorted({match.end() for match in END.finditer(text)} | {len(text)})
    return [text[i:j] for i, j in pairwise([0, *ends]) if i < j] or [""]


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
    "」",
    "\f",
    "\U0001d4b3",
]
texts = st.one_of(
    st.lists(st.sampled_from(MARKS), max_size=60).map("".join),
    st.text(max_size=60),
)


@given(texts)
@settings(deadline=None, max_examples=1000)
def test_rules_looked_at_all_at_once_are_those_of_the_expression(text: str) -> None:
    assert split(text) == split_by_expression(text)


@given(texts, st.integers(1, 9))
@settings(deadline=None, max_examples=1000)
def test_passages_keep_the_sentences(text: str, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sentences, "PASSAGE", size)
        parts = list(passages(text))
    assert [sentence for part in parts for sentence in split(part)] == split(text)


def test_passages_of_a_long_text_are_short() -> None:
    parts = list(passages("One line. Another\n\n" * 60_000))
    assert len(parts) > 3
    assert max(map(len, parts)) <= sentences.PASSAGE


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
    "text",
    [
        "One. " * 400_000,
        "a" * 2_000_000,
        "\n \t" * 700_000,
        "\n" * 10**6,
        "." * 10**6,
        '."' * 10**6,
    ],
)
def test_splitting_takes_linear_time(text: str) -> None:
    started = time.process_time()
    for part in passages(text):
        split(part)
    assert time.process_time() - started < 2.0
