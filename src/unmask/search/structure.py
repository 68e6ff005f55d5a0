"""Pairs of texts that belong together by the structure of their corpus."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from unmask.search.comparing_config import PairsConfig
from unmask.search.documents import Document

_BLANK_LINES = re.compile(r"\n[ \t\r]*\n\s*")


def title_pairs(documents: Iterable[Document], config: PairsConfig) -> Iterator[tuple[str, str]]:
    """Each title with its body, where there is one of each.

    A body that begins with its own title is given without it: words that stand on both sides would
    be all that is learned.
    """
    for document in documents:
        title = _joined(document.title)
        body = _joined(document.text)
        if body.startswith(title):
            body = body[len(title) :].lstrip(" .:–—-")
        body = _long_enough(body, config)
        if title and body and title != body:
            yield title, body


def paragraph_pairs(texts: Iterable[str], config: PairsConfig) -> Iterator[tuple[str, str]]:
    """Each paragraph with the one after it in the same text; a blank line ends a paragraph.

    One that is too short, such as a heading, stands between its neighbours and belongs to neither.
    """
    for text in texts:
        previous = ""
        for block in _BLANK_LINES.split(text):
            paragraph = _joined(block)
            if not paragraph:
                continue
            paragraph = _long_enough(paragraph, config)
            if previous and paragraph and previous != paragraph:
                yield previous, paragraph
            previous = paragraph


def _joined(text: str) -> str:
    """In one line."""
    return " ".join(text.split())


def _long_enough(text: str, config: PairsConfig) -> str:
    """As far as it is read; empty if it has too few words."""
    words = text.split(" ")
    if len(words) < config.min_words:
        return ""
    return " ".join(words[: config.max_words])
