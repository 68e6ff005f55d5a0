from __future__ import annotations

import pytest

from unmask.search.comparing_config import PairsConfig
from unmask.search.documents import Document
from unmask.search.structure import paragraph_pairs, title_pairs


@pytest.mark.parametrize(
    ("title", "body", "expected"),
    [
        (
            "Wells",
            "A hole in the\nground with water.",
            ("Wells", "A hole in the ground with water."),
        ),
        ("Wells", "Wells: a hole with water in it.", ("Wells", "a hole with water in it.")),
        ("", "A hole in the ground with water.", None),
        ("Wells", "A hole.", None),
        ("Wells are holes in the ground", "Wells are holes in the ground", None),
    ],
    ids=["both", "repeated", "no title", "too short", "same"],
)
def test_a_title_and_its_body_are_a_pair(
    title: str, body: str, expected: tuple[str, str] | None
) -> None:
    found = list(title_pairs([Document("a", body, title)], PairsConfig()))

    assert found == ([] if expected is None else [expected])


def test_paragraphs_that_follow_each_other_are_pairs() -> None:
    first, second, third = (f"{word} five words make enough" for word in ("One", "Two", "Three"))
    text = f"{first},\nand more\n\n{second}\n \r\n\n{third}\n"

    found = list(paragraph_pairs([text, second], PairsConfig()))

    assert found == [(f"{first}, and more", second), (second, third)]


def test_a_heading_parts_its_neighbours() -> None:
    first, second = "Five words or a few more.", "Another five words or more."

    assert list(paragraph_pairs([f"{first}\n\nChapter II\n\n{second}"], PairsConfig())) == []


def test_long_texts_are_cut_between_words() -> None:
    config = PairsConfig(min_words=2, max_words=3)

    (found,) = paragraph_pairs(["one two three four\n\nfive six seven eight"], config)

    assert found == ("one two three", "five six seven")
