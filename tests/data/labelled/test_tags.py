"""Tags say which words a span holds: as seqeval reads them, and back again."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from seqeval import scheme as oracle
from seqeval.metrics.sequence_labeling import get_entities

from unmask.data.labelled.tags import (
    Span,
    convert,
    detect_scheme,
    illegal,
    legal_transitions,
    repair,
    spans,
    strict_spans,
)
from unmask.errors import DataError, UsageError

QUIET = settings(deadline=None, derandomize=True)

LABELS = ("PER", "LOC", "creative-work")
LETTERS = {"iob1": "BI", "iob2": "BI", "bioes": "BIES"}
STRICT = {"iob1": oracle.IOB1, "iob2": oracle.IOB2, "bioes": oracle.IOBES}
WITH_SPANS = sorted(LETTERS)


def tags_of(scheme: str) -> list[str]:
    return ["O", *(f"{letter}-{label}" for letter in LETTERS[scheme] for label in LABELS)]


def sequences(scheme: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(tags_of(scheme)), max_size=12)


in_a_scheme = st.sampled_from(WITH_SPANS).flatmap(
    lambda scheme: st.tuples(st.just(scheme), sequences(scheme))
)


@st.composite
def span_sets(draw: st.DrawFn) -> tuple[list[Span], int]:
    found: list[Span] = []
    place = 0
    for gap, length, label in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(LABELS)))
    ):
        found.append(Span(label, place + gap, place + gap + length))
        place += gap + length
    return found, place + draw(st.integers(0, 2))


def as_iob2(found: list[Span], num_words: int) -> list[str]:
    tags = ["O"] * num_words
    for span in found:
        tags[span.start : span.end] = [f"I-{span.label}"] * (span.end - span.start)
        tags[span.start] = f"B-{span.label}"
    return tags


@QUIET
@given(in_a_scheme)
@example(("iob2", ["I-PER", "O", "I-PER", "I-LOC", "B-LOC", "B-LOC"]))
@example(("bioes", ["E-PER", "E-PER", "S-PER", "I-PER", "E-LOC", "O", "B-LOC"]))
def test_spans_are_those_of_conlleval(case: tuple[str, list[str]]) -> None:
    scheme, tags = case
    expected = [Span(label, first, last + 1) for label, first, last in get_entities(tags)]
    assert spans(tags, scheme) == expected


@QUIET
@given(in_a_scheme)
@example(("iob1", ["I-PER", "B-PER", "B-LOC"]))
@example(("iob1", ["O", "B-PER", "I-PER"]))
@example(("bioes", ["B-PER", "B-PER", "E-PER", "E-PER", "S-LOC"]))
def test_strict_spans_are_those_of_seqeval(case: tuple[str, list[str]]) -> None:
    scheme, tags = case
    (expected,) = oracle.Entities([tags], STRICT[scheme]).entities
    assert strict_spans(tags, scheme) == [Span(e.tag, e.start, e.end) for e in expected]


@QUIET
@given(st.lists(st.sampled_from(["O", *(f"{x}-{y}" for x in "BILU" for y in LABELS)])))
def test_bilou_is_bioes_in_other_letters(tags: list[str]) -> None:
    same = [tag.replace("L-", "E-").replace("U-", "S-") for tag in tags]
    (expected,) = oracle.Entities([tags], oracle.BILOU).entities
    assert strict_spans(tags, "bioes") == [Span(e.tag, e.start, e.end) for e in expected]
    assert spans(tags, "bioes") == spans(same, "bioes")
    assert repair(tags, "bioes") == repair(same, "bioes")


@QUIET
@given(in_a_scheme)
def test_repair_keeps_the_spans_and_breaks_no_rule(case: tuple[str, list[str]]) -> None:
    scheme, tags = case
    repaired = repair(tags, scheme)
    assert illegal(repaired, scheme) == []
    assert spans(repaired, scheme) == strict_spans(repaired, scheme) == spans(tags, scheme)
    assert (repaired == tags) == (illegal(tags, scheme) == [])


@QUIET
@given(in_a_scheme)
def test_the_matrix_of_transitions_and_the_list_of_faults_agree(
    case: tuple[str, list[str]],
) -> None:
    scheme, tags = case
    labels = tags_of(scheme)
    first, transition, last = legal_transitions(labels, scheme)
    path = [labels.index(tag) for tag in tags]
    steps = [bool(transition[before, after]) for before, after in pairwise(path)]
    if path:
        steps = [bool(first[path[0]]), *steps, bool(last[path[-1]])]
    assert len(illegal(tags, scheme)) == steps.count(False)


@QUIET
@given(span_sets(), st.sampled_from(WITH_SPANS), st.sampled_from(WITH_SPANS))
def test_conversion_keeps_the_spans_both_ways(
    case: tuple[list[Span], int], one: str, other: str
) -> None:
    found, num_words = case
    tags = as_iob2(found, num_words)
    there = convert(convert(tags, "iob2", one), one, other)
    assert spans(there, other) == strict_spans(there, other) == found
    assert illegal(there, other) == []
    assert convert(there, other, "iob2") == tags


@QUIET
@given(span_sets(), st.sampled_from(WITH_SPANS))
@example(([Span("PER", 0, 2)], 2), "iob1")
@example(([Span("PER", 0, 1), Span("LOC", 1, 2)], 3), "bioes")
def test_the_scheme_is_told_from_the_tags(case: tuple[list[Span], int], scheme: str) -> None:
    found, num_words = case
    tags = convert(as_iob2(found, num_words), "iob2", scheme)
    if not tags:
        return
    told = detect_scheme([tags])
    assert told == (scheme if found else "iob2")
    assert illegal(tags, told) == []


def test_a_few_wrong_tags_do_not_change_the_scheme() -> None:
    good = ["B-PER", "I-PER", "O", "B-LOC"]
    assert detect_scheme([good, good, ["O", "I-PER"]]) == "iob2"
    assert detect_scheme([["I-PER", "I-PER", "O"], ["I-LOC"], ["O", "B-LOC"]]) == "iob1"


@pytest.mark.parametrize(
    "tags",
    [
        ["NOUN", "VERB", "PUNCT"],
        ["-LRB-", "NN", "-RRB-", "AFX", "HYPH"],
        ["I-NP-SBJ", "-LRB-", "B-NP"],
        ["PER", "PER", "O"],
    ],
)
def test_tags_of_words_alone_are_plain(tags: list[str]) -> None:
    assert detect_scheme([tags]) == "plain"
    assert illegal(tags, "plain") == []
    assert repair(tags, "plain") == convert(tags, "plain", "plain") == tags
    first, transition, last = legal_transitions(tags, "plain")
    assert first.all()
    assert transition.all()
    assert last.all()


def test_each_plain_word_is_a_span_of_its_own_and_o_is_none() -> None:
    expected = [Span("NOUN", 0, 1), Span("NOUN", 1, 2), Span("B-X", 3, 4)]
    assert spans(["NOUN", "NOUN", "O", "B-X"], "plain") == expected
    assert strict_spans(["NOUN", "NOUN", "O", "B-X"], "plain") == expected


def test_bare_letters_are_spans_without_a_name() -> None:
    tags = ["B", "I", "O", "I"]
    assert detect_scheme([tags]) == "iob2"
    assert spans(tags, "iob2") == [Span("_", 0, 2), Span("_", 3, 4)]
    assert repair(tags, "iob2") == ["B", "I", "O", "B"]
    assert convert(tags, "iob2", "bioes") == ["B", "E", "O", "S"]


@pytest.mark.parametrize(
    ("scheme", "tags", "expected"),
    [
        ("iob2", ["I-PER", "I-PER"], [(0, "`I-PER` at the start")]),
        ("iob2", ["O", "E-PER"], [(1, "`E-PER` is no tag of iob2")]),
        ("iob1", ["I-PER", "B-PER", "O", "B-PER"], [(3, "`B-PER` after `O`")]),
        ("bioes", ["B-PER", "O", "S-PER"], [(1, "`O` after `B-PER`")]),
        ("bioes", ["B-PER", "I-PER"], [(1, "`I-PER` at the end")]),
        ("bioes", ["B-PER", "E-LOC"], [(1, "`E-LOC` after `B-PER`")]),
        ("iob2", ["PER", "I-X"], [(0, "`PER` is no tag of iob2"), (1, "`I-X` after `PER`")]),
    ],
)
def test_each_fault_has_its_place_and_reason(
    scheme: str, tags: list[str], expected: list[tuple[int, str]]
) -> None:
    assert illegal(tags, scheme) == expected


def test_transitions_of_iob2() -> None:
    first, transition, last = legal_transitions(["O", "B-PER", "I-PER", "I-LOC"], "iob2")
    assert first.tolist() == [True, True, False, False]
    assert last.all()
    assert np.flatnonzero(transition[:, 2]).tolist() == [1, 2]
    assert np.flatnonzero(transition[:, 3]).tolist() == [3]
    assert transition[:, :2].all()


def test_no_words_have_no_spans_and_no_faults() -> None:
    for scheme in ("plain", *WITH_SPANS):
        assert spans([], scheme) == strict_spans([], scheme) == illegal([], scheme) == []
        assert repair([], scheme) == []
        assert [array.shape for array in legal_transitions([], scheme)] == [(0,), (0, 0), (0,)]


def test_what_is_no_tag_is_named_with_its_place() -> None:
    with pytest.raises(DataError, match=r"`PER` \(number 2 of 2\) is no tag of iob2"):
        spans(["O", "PER"], "iob2")
    with pytest.raises(DataError, match=r"`S-PER` \(number 1 of 1\) is no tag of iob2"):
        strict_spans(["S-PER"], "iob2")
    with pytest.raises(DataError, match=r"`E-PER`.* is no tag of iob1; expected O, B-\.\.\., I-"):
        legal_transitions(["O", "E-PER"], "iob1")
    with pytest.raises(DataError, match="`per` stands beside `O`"):
        detect_scheme([["O", "B-PER"], ["per"]])
    with pytest.raises(DataError, match="no tags"):
        detect_scheme([[], []])


def test_an_unknown_scheme_is_refused() -> None:
    for act in (spans, strict_spans, illegal, repair, legal_transitions):
        with pytest.raises(UsageError, match="unknown tag scheme `iob3`; expected one of iob1"):
            act(["O"], "iob3")
    with pytest.raises(UsageError, match="unknown tag scheme `IOB2`"):
        convert(["O"], "iob1", "IOB2")
    with pytest.raises(UsageError, match="plain tags do not say where a span begins"):
        convert(["NOUN"], "plain", "iob2")
