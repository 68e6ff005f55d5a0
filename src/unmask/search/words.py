"""The words of a text, as BM25 counts them and as results mark them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from unmask.search.config import Stopwords

_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003134f"
)
"""Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, kana, ideographs."""
_MARKS = (
    "\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u07a6-\u07b0\u0900-\u0963\u0966-\u0dff\u0f18-\u0fbc\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
    "\ufe20-\ufe2f"
)
"""Accents and vowel signs, which Python's `\\w` leaves out although they belong to words."""
_WORD = re.compile(rf"[{_SPACELESS}]|(?:[^\W{_SPACELESS}]|[{_MARKS}])+")
_ASCII_WORD = re.compile(r"\w+", re.ASCII)


def words_of(text: str) -> Iterator[tuple[int, int, str]]:
    """First character, the one after the last, and the normal form of each word.

    A word is a run of letters, digits and underscores, or one character of a script that puts no
    spaces between words; its normal form has no capitals, and its compatible characters and accents
    are put together (NFKC).

    >>> list(words_of("Don't STOP"))
    [(0, 3, 'don'), (4, 5, 't'), (6, 10, 'stop')]
    """
    for found in (_ASCII_WORD if text.isascii() else _WORD).finditer(text):
        word = found.group()
        yield found.start(), found.end(), word.lower() if word.isascii() else normal(word)


def normal(word: str) -> str:
    """The form by which words are equal.

    >>> normal("Straße"), normal("cafe\u0301")
    ('strasse', 'café')
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())


@cache
def stopwords_of(language: Stopwords) -> frozenset[str]:
    """The frequent words of a language, in normal form; none for `none`.

    Raises:
        MachineError: The extra `search` is not installed.
    """
    if language == "none":
        return frozenset()
    from unmask.search.extras import bm25s

    lists = bm25s().stopwords
    name = {"english": "EN"}.get(language, language.upper())
    words = getattr(lists, f"STOPWORDS_{name}")
    parts = ([part for _, _, part in words_of(word)] for word in words)
    # Of one that is several words here, none is frequent by itself.
    return frozenset(found[0] for found in parts if len(found) == 1)
