"""Tags of words and the spans they stand for: IOB1, IOB2, BIOES and plain tags.

IOB1 (Ramshaw and Marcus 1995) writes `B-` only where a span touches one of its own label before
it, IOB2 (Tjong Kim Sang and Veenstra 1999) at the first word of every span; BIOES also marks last
words (`E-`) and single ones (`S-`). BILOU's `L-` and `U-` are read as `E-` and `S-`. A plain tag, a
part of speech say, marks its word alone. `O` is outside in every scheme.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unmask.data.labelled.grammar import (
    ANY_PREFIX,
    OUTSIDE,
    PREFIXES,
    UNNAMED,
    closes_strictly,
    continues,
    known,
    may_follow,
    opens,
    opens_strictly,
    parsed,
    read,
)
from unmask.data.labelled.grammar import SCHEMES as SCHEMES
from unmask.errors import DataError, UsageError


@dataclass(frozen=True)
class Span:
    """Words that carry one label together."""

    label: str
    start: int
    """The first word, from 0."""
    end: int
    """The word after the last."""


def detect_scheme(sequences: Iterable[Sequence[str]]) -> str:
    """The scheme of a data set's tags: `iob1`, `iob2`, `bioes` or `plain`.

    Between IOB1 and IOB2 decides which of their signs is more frequent: spans opened by `I-`, or
    `B-` where IOB1 has no use for it. Without either, and for tags that are all `O`, `iob2`.

    Raises:
        DataError: There are no tags, or one that is neither `O` nor like `B-PER` beside such.
    """
    opened_by_i = needless_b = 0
    prefixes: set[str] = set()
    foreign: str | None = None
    for tags in sequences:
        previous = OUTSIDE
        for text in tags:
            tag = parsed(text, "bioes")
            if tag is None:
                foreign = text if foreign is None else foreign
                continue
            prefixes.add(tag.prefix)
            opened_by_i += tag.prefix == "I" and not may_follow(previous, tag, "iob2")
            needless_b += tag.prefix == "B" and not may_follow(previous, tag, "iob1")
            previous = tag
    if foreign is not None:
        if "O" in prefixes and prefixes & {"B", "I"}:
            raise DataError(
                f"tag `{foreign}` stands beside `O` and tags such as `B-PER`; expected O, B-..., "
                "I-..., E-... or S-... Mend it, or name the scheme (plain takes any tag)."
            )
        return "plain"
    if not prefixes:
        raise DataError("there are no tags to tell a scheme from; expected at least one word.")
    if prefixes & {"E", "S"}:
        return "bioes"
    return "iob1" if opened_by_i > needless_b else "iob2"


def spans(tags: Sequence[str], scheme: str) -> list[Span]:
    """The spans as conlleval and seqeval's default mode read them: no word with a label is lost.

    A span opens at `B-` and `S-`, after `O`, `E-` and `S-`, and where the label changes; so the
    reading is the same in every scheme but plain, where each word is a span of its own.
    Neighbour: `strict_spans`. Source: conlleval.pl (CoNLL-2000), `startOfChunk`, `endOfChunk`.

    >>> spans(["I-PER", "I-PER", "O"], "iob2")
    [Span(label='PER', start=0, end=2)]

    Raises:
        DataError: A tag of no scheme, such as `PER`.
    """
    words = read(tags, scheme, ANY_PREFIX)
    starts = [i for i, tag in enumerate(words) if opens(tag, words[i - 1] if i else OUTSIDE)]
    found: list[Span] = []
    for start, limit in pairwise((*starts, len(words))):
        end = next((i for i in range(start, limit) if words[i].prefix == "O"), limit)
        found.append(Span(words[start].label, start, end))
    return found


def strict_spans(tags: Sequence[str], scheme: str) -> list[Span]:
    """The spans as seqeval's strict mode reads them: what the scheme forbids is no span.

    In IOB2 an `I-` without its `B-` is lost, in BIOES a span that `E-` does not close, in IOB1 a
    `B-` that touches no span of its label. Source: seqeval, `scheme.py`.

    Raises:
        DataError: A tag that the scheme does not have.
    """
    words = [*read(tags, scheme, PREFIXES[known(scheme)]), OUTSIDE]
    found: list[Span] = []
    i = 0
    previous = OUTSIDE
    while i < len(tags):
        end = i + 1
        if opens_strictly(words[i], previous, scheme):
            while continues(words[end], words[end - 1]):
                end += 1
            if closes_strictly(words[end - 1], words[end], scheme):
                found.append(Span(words[i].label, i, end))
        previous = words[end - 1]
        i = end
    return found


def illegal(tags: Sequence[str], scheme: str) -> list[tuple[int, str]]:
    """Where a sequence breaks its scheme: the word and the reason; empty for a legal one.

    >>> illegal(["O", "I-PER", "B-LOC", "I-PER"], "iob2")
    [(1, '`I-PER` after `O`'), (3, '`I-PER` after `B-LOC`')]
    """
    prefixes = PREFIXES[known(scheme)]
    found: list[tuple[int, str]] = []
    previous, before = OUTSIDE, ""
    for i, text in enumerate(tags):
        tag = parsed(text, scheme)
        if tag is None or tag.prefix not in prefixes:
            found.append((i, f"`{text}` is no tag of {scheme}"))
            tag = OUTSIDE
        elif not may_follow(previous, tag, scheme):
            found.append((i, f"`{text}` after `{before}`" if i else f"`{text}` at the start"))
        previous, before = tag, text
    if not may_follow(previous, OUTSIDE, scheme):
        found.append((len(tags) - 1, f"`{before}` at the end"))
    return found


def repair(tags: Sequence[str], scheme: str) -> list[str]:
    """The same spans, written as the scheme wants it; a legal sequence stays as it is.

    BILOU's letters come back as BIOES's.

    >>> repair(["O", "I-PER", "I-PER", "I-LOC"], "iob2")
    ['O', 'B-PER', 'I-PER', 'B-LOC']

    Raises:
        DataError: A tag of no scheme, such as `PER`.
    """
    if scheme == "plain":
        return list(tags)
    return _written(spans(tags, scheme), len(tags), scheme)


def convert(tags: Sequence[str], from_scheme: str, to_scheme: str) -> list[str]:
    """The spans of `tags` in another scheme; what was illegal is repaired on the way.

    >>> convert(["B-PER", "I-PER", "O", "B-LOC"], "iob2", "bioes")
    ['B-PER', 'E-PER', 'O', 'S-LOC']

    Raises:
        DataError: A tag of no scheme, such as `PER`.
        UsageError: From plain tags or to them, which know nothing of spans.
    """
    if known(from_scheme) == known(to_scheme) == "plain":
        return list(tags)
    if "plain" in (from_scheme, to_scheme):
        raise UsageError(
            f"tags cannot go from {from_scheme} to {to_scheme}: plain tags do not say where a span "
            "begins. Convert between iob1, iob2 and bioes."
        )
    return _written(spans(tags, from_scheme), len(tags), to_scheme)


def legal_transitions(
    labels: Sequence[str], scheme: str
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of K tags may be first (K,), follow which (K, K), and be last (K,).

    `transition[i, j]` is True where `labels[j]` may come right after `labels[i]`. A sequence is
    legal by these arrays exactly when `illegal` has nothing to say.

    Raises:
        DataError: A label that is no tag of the scheme.
    """
    tags = read(labels, scheme, PREFIXES[known(scheme)])
    first = np.array([may_follow(OUTSIDE, tag, scheme) for tag in tags], dtype=np.bool_)
    last = np.array([may_follow(tag, OUTSIDE, scheme) for tag in tags], dtype=np.bool_)
    pairs = [[may_follow(before, tag, scheme) for tag in tags] for before in tags]
    return first, np.array(pairs, dtype=np.bool_).reshape(len(tags), len(tags)), last


def _written(found: Sequence[Span], num_words: int, scheme: str) -> list[str]:
    tags = ["O"] * num_words
    end = 0
    label = None
    for span in found:
        prefixes = ["I"] * (span.end - span.start)
        if scheme == "bioes":
            prefixes[-1] = "E"
        if scheme != "iob1" or (span.start == end and span.label == label):
            prefixes[0] = "S" if scheme == "bioes" and len(prefixes) == 1 else "B"
        name = "" if span.label == UNNAMED else f"-{span.label}"
        tags[span.start : span.end] = [prefix + name for prefix in prefixes]
        end, label = span.end, span.label
    return tags
