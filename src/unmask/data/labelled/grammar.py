"""The grammar of tag schemes: which tags there are, and which may stand beside which."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from unmask.errors import DataError, UsageError

SCHEMES = ("iob1", "iob2", "bioes", "plain")
UNNAMED = "_"
"""The label of a bare `B` or `I`, as in seqeval."""

ANY_PREFIX = "OBIES"
PREFIXES = {"iob1": "OBI", "iob2": "OBI", "bioes": ANY_PREFIX, "plain": "OS"}
"""What begins a tag of each scheme, one letter each."""

_TAG = re.compile(r"([BIESLU])(?:-(.*))?", re.DOTALL)
_AS_BIOES = {"L": "E", "U": "S"}
_STRICT_OPENING = {"iob1": "I", "iob2": "B", "bioes": "BS", "plain": "S"}


class Tag(NamedTuple):
    """`B-PER` in its parts; `O` has no label."""

    prefix: str
    label: str


OUTSIDE = Tag("O", "")


def known(scheme: str) -> str:
    """The scheme itself.

    Raises:
        UsageError: There is no such scheme.
    """
    if scheme not in SCHEMES:
        raise UsageError(f"unknown tag scheme `{scheme}`; expected one of {', '.join(SCHEMES)}.")
    return scheme


def parsed(text: str, scheme: str) -> Tag | None:
    """None for what is no tag of any scheme with spans; a plain tag is a span of one word."""
    if text == "O":
        return OUTSIDE
    if scheme == "plain":
        return Tag("S", text)
    match = _TAG.fullmatch(text)
    if match is None:
        return None
    return Tag(_AS_BIOES.get(match[1], match[1]), match[2] or UNNAMED)


def read(tags: Sequence[str], scheme: str, prefixes: str) -> list[Tag]:
    """The tags in their parts; `prefixes` are those that may occur.

    Raises:
        DataError: A tag of no scheme, or with another prefix.
    """
    words: list[Tag] = []
    for i, text in enumerate(tags):
        tag = parsed(text, known(scheme))
        if tag is None or tag.prefix not in prefixes:
            expected = ", ".join("O" if prefix == "O" else f"{prefix}-..." for prefix in prefixes)
            raise DataError(
                f"`{text}` (number {i + 1} of {len(tags)}) is no tag of {scheme}; expected "
                f"{expected}. Mend it, or name another scheme (plain takes any tag)."
            )
        words.append(tag)
    return words


def opens(tag: Tag, previous: Tag) -> bool:
    """Whether a span begins at `tag`, leniently."""
    if tag.prefix == "O":
        return False
    return tag.prefix in "BS" or previous.prefix in "OES" or tag.label != previous.label


def continues(tag: Tag, previous: Tag) -> bool:
    """Whether `tag` goes on with the span of the word before, strictly."""
    return tag.prefix in "IE" and previous.prefix in "BI" and tag.label == previous.label


def opens_strictly(tag: Tag, previous: Tag, scheme: str) -> bool:
    """Whether seqeval's strict mode begins a span at a word that continues none."""
    if scheme == "iob1" and tag.prefix == "B":
        return previous.prefix in "BI" and tag.label == previous.label
    return tag.prefix in _STRICT_OPENING[scheme]


def closes_strictly(last: Tag, following: Tag, scheme: str) -> bool:
    """Whether seqeval's strict mode accepts `last` as a span's end before `following`."""
    if scheme == "bioes":
        return last.prefix in "ES"
    # seqeval's list of IOB1's endings lacks `B-X` before `B-Y`, whose second tag is illegal there.
    return (
        scheme != "iob1"
        or (last.prefix, following.prefix) != ("B", "B")
        or (last.label == following.label)
    )


def may_follow(previous: Tag, tag: Tag, scheme: str) -> bool:
    """The scheme's grammar; `O` stands for what is before the first word and after the last."""
    joins = previous.prefix in "BI" and tag.label == previous.label
    if scheme == "iob1":
        return tag.prefix != "B" or joins
    if scheme == "iob2":
        return tag.prefix != "I" or joins
    if scheme == "bioes" and previous.prefix in "BI":
        return tag.prefix in "IE" and joins
    return tag.prefix not in "IE"
