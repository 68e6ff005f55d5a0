"""Where sentences end, by rules that are fast rather than clever.

A regular expression of these rules takes three times as long as all other Python of preparing a
corpus together; here each rule looks at all its places in a window of the text at once.
tests/data/test_sentences.py has the rules as that expression, and compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

_TITLES = ("Mr", "Mrs", "Ms", "Dr", "St", "Prof", "Rev", "Capt", "Col", "Gen", "Lt", "Sgt")
"""Abbreviations that a name follows, so that their full stop ends no sentence."""
_NO_END = re.compile("|".join(rf"(?<=\b{word}\.)" for word in (*_TITLES, "[A-Z]")))
"""After the full stop of a title or of an initial."""
_LONGEST_TITLE = max(map(len, _TITLES))

_MARKS = ".!?"
_WIDE_MARKS = "。！？"
_BLANK, _RETURN, _SPACE, _CLOSING, _WIDE_CLOSING, _BEGINNING, _CAPITAL = (1 << i for i in range(7))
PASSAGE = 2**16
"""Characters; where no sentence ends in as many, twice as many are taken."""
_USUAL_RUN = 8
"""Most runs of spaces or of closing quotes are shorter."""

_Places = npt.NDArray[np.int64]
_Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint32]


def _build_kinds() -> npt.NDArray[np.uint8]:
    kinds = np.zeros(2**16, dtype=np.uint8)
    capitals = [chr(i) for first, last in ("AZ", "ÀÖ", "ØÞ", "ΑΩ", "АЯ", "ЁЁ")
                for i in range(ord(first), ord(last) + 1)]  # fmt: skip
    for kind, characters in (
        (_BLANK, " \t"),
        (_RETURN, "\r"),
        (_SPACE, re.findall(r"\s", "".join(map(chr, range(2**16))))),
        (_CLOSING, "\"')]’”»"),
        (_WIDE_CLOSING, "」』）”’"),
        (_BEGINNING, [*capitals, *"\"'([‘“«0123456789"]),
        (_CAPITAL, capitals[:26]),
    ):
        kinds[[ord(character) for character in characters]] |= kind
    return kinds


_KINDS = _build_kinds()


def split(text: str) -> list[str]:
    """The sentences of a text, with the spaces after them; joined, they are the text.

    A sentence ends at a blank line, at `.`, `!` or `?` (and closing quotes) before a line's end or
    before a capital, a digit or an opening quote, and at their full-width forms. A line's end
    alone ends none, because books are wrapped. Ends stand only at spaces or after full-width
    punctuation, where BERT's tokenizers split anyway: the sentences' token ids, one after another,
    are the text's.
    """
    ends = _ends(text).tolist()
    if not ends or ends[-1] < len(text):
        ends.append(len(text))
    return [text[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def passages(text: str) -> Iterator[str]:
    """The text in parts of about `PASSAGE` characters that end where a sentence ends.

    The sentences of the parts are those of the text, and splitting part by part holds less.
    """
    start, size = 0, PASSAGE
    while start + size < len(text):
        end = _last_end(text[start : start + size])
        if end:
            yield text[start : start + end]
            start, size = start + end, PASSAGE
        else:
            size *= 2
    if start < len(text) or not text:
        yield text[start:] if start else text


def _last_end(text: str) -> int:
    """Past the last sentence of a text that goes on, or 0 where none is sure to end."""
    body = text.rstrip()  # the spaces at its end may go on behind it
    blank_line = body.rfind("\n\n")
    if blank_line >= 0:  # found in no time, and nearly every text has one
        return len(body) - len(body[blank_line:].lstrip())
    ends = _ends(text)
    ends = ends[: np.searchsorted(ends, len(text))]
    return int(ends[-1]) if len(ends) else 0


def _ends(text: str) -> _Places:
    """Past-the-end places of the text's sentences, ascending; the rest has no end."""
    codes = _codes(text)
    is_end = np.zeros(len(codes), dtype=np.bool_)
    is_end[_after_blank_lines(codes)] = True
    is_end[_after_marks(text, codes)] = True
    if any(mark in text for mark in _WIDE_MARKS):
        after = _past(codes, _places(codes, _WIDE_MARKS) + 1, _WIDE_CLOSING)
        is_end[_past(codes, after, _SPACE)] = True
    return np.flatnonzero(is_end)


def _codes(text: str) -> _Codes:
    """Code points, and a last one that is of no kind; those beyond `_KINDS` are of none either."""
    if text.isascii():
        return np.frombuffer(text.encode() + b"\0", np.uint8)
    codes = np.frombuffer((text + "\0").encode("utf-32-le", "surrogatepass"), np.uint32)
    return np.minimum(codes, len(_KINDS) - 1)


def _places(codes: _Codes, characters: str) -> _Places:
    found = codes == ord(characters[0])
    for character in characters[1:]:
        found |= codes == ord(character)
    return np.flatnonzero(found)


def _after_blank_lines(codes: _Codes) -> _Places:
    lines = np.flatnonzero((codes[:-1] == ord("\n")) & (codes[1:] <= ord(" "))) + 1
    after = _past(codes, lines, _BLANK | _RETURN)
    return _past(codes, after[codes[after] == ord("\n")], _SPACE)


def _after_marks(text: str, codes: _Codes) -> _Places:
    marks = _places(codes, _MARKS)
    after = _past(codes, marks + 1, _CLOSING)

    blanks = _past(codes, after, _BLANK)
    begins = (blanks > after) & _is(codes, blanks, _BEGINNING)
    lines = _past(codes, blanks, _BLANK | _RETURN)
    line_ends = codes[lines] == ord("\n")

    before = np.zeros(len(marks), dtype=np.bool_)
    for distance in range(1, _LONGEST_TITLE + 1):
        before |= _is(codes, np.maximum(marks - distance, 0), _CAPITAL)
    suspects = np.flatnonzero(before & (begins | line_ends))
    no_end = [_NO_END.match(text, place + 1) is not None for place in marks[suspects].tolist()]
    abbreviations = suspects[np.array(no_end, dtype=np.bool_)]
    begins[abbreviations] = line_ends[abbreviations] = False
    return np.concatenate([blanks[begins], _past(codes, lines[line_ends], _SPACE)])


def _is(codes: _Codes, places: _Places, kind: int) -> npt.NDArray[np.bool_]:
    return (_KINDS[codes[places]] & kind).astype(np.bool_)


def _past(codes: _Codes, places: _Places, kind: int) -> _Places:
    """From each place on, the first whose character is not of this kind."""
    places = places.copy()
    going = np.arange(len(places))
    for _ in range(_USUAL_RUN):
        going = going[_is(codes, places[going], kind)]
        if not len(going):
            return places
        places[going] += 1
    others = np.flatnonzero((_KINDS[codes] & kind) == 0)
    places[going] = others[np.searchsorted(others, places[going])]
    return places
