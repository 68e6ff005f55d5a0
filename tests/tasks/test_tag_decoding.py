"""The best tags, the same made legal, and the best legal ones; and which tags a model has."""

from __future__ import annotations

import doctest
import logging
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.data.labelled.examples import TaggedExample
from unmask.data.labelled.tags import illegal, legal_transitions, repair
from unmask.data.labelled.words import joined
from unmask.errors import DataError
from unmask.tasks import tag_decoding, tag_sets
from unmask.tasks.tag_decoding import TagDecoder, viterbi

TAGS = {
    "iob1": ("O", "B-A", "I-A", "B-C", "I-C"),
    "iob2": ("O", "B-A", "I-A", "B-C", "I-C"),
    "bioes": ("O", "B-A", "I-A", "E-A", "S-A"),
    "plain": ("O", "NOUN", "VERB"),
}
exact = settings(deadline=None, derandomize=True)
cases = st.tuples(st.sampled_from(sorted(TAGS)), st.integers(0, 4), st.integers(0, 2**32 - 1))


def drawn(num_words: int, num_tags: int, seed: int) -> np.ndarray:
    """Log-probabilities."""
    generator = np.random.default_rng(seed)
    found = np.log(generator.dirichlet(np.ones(num_tags), num_words).clip(1e-30))
    return found.reshape(num_words, num_tags).astype(np.float32)


def summed(scores: np.ndarray, numbers: tuple[int, ...] | list[int]) -> float:
    return float(sum(scores[i, number].astype(np.float64) for i, number in enumerate(numbers)))


def tagged(tags: str, place: str = "file:1") -> TaggedExample:
    """A sentence of one-letter words with these tags."""
    found = tuple(tags.split())
    return TaggedExample("1", *joined(["w"] * len(found)), found, place)


@exact
@given(cases)
def test_viterbi_finds_the_best_of_all_legal_sequences(case: tuple[str, int, int]) -> None:
    scheme, num_words, seed = case
    labels = TAGS[scheme]
    scores = drawn(num_words, len(labels), seed)
    legal = [
        numbers
        for numbers in product(range(len(labels)), repeat=num_words)
        if not illegal([labels[i] for i in numbers], scheme)
    ]

    found = viterbi(scores, *legal_transitions(labels, scheme)).tolist()

    assert tuple(found) in legal
    assert summed(scores, found) == pytest.approx(max(summed(scores, one) for one in legal))


def test_viterbi_is_exact_in_a_long_text() -> None:
    labels = TAGS["bioes"]
    scores = drawn(5000, len(labels), 1)
    found = TagDecoder(labels, "bioes", "viterbi").best(scores)
    assert not illegal([labels[i] for i in found], "bioes")
    _, follows, _ = legal_transitions(labels, "bioes")
    for place in range(10, 4990, 20):  # no exchange of three tags is legal and better
        here = scores[place : place + 3]
        best = here[range(3), found[place : place + 3]].sum()
        for three in product(range(len(labels)), repeat=3):
            path = np.array([found[place - 1], *three, found[place + 3]])
            if follows[path[:-1], path[1:]].all():
                assert here[range(3), three].sum() <= best + 1e-5


def test_viterbi_falls_back_where_nothing_is_legal() -> None:
    nothing = np.zeros((2, 2), dtype=bool)
    scores = np.array([[0.1, 0.2], [0.4, 0.3]], dtype=np.float32)

    assert viterbi(scores, nothing[0], nothing, nothing[0]).tolist() == [1, 0]


@exact
@given(cases)
def test_argmax_and_repair_take_the_best_tags(case: tuple[str, int, int]) -> None:
    scheme, num_words, seed = case
    labels = TAGS[scheme]
    scores = drawn(num_words, len(labels), seed)
    plain, repaired = (TagDecoder(labels, scheme, how) for how in ("argmax", "repair"))

    best = plain.best(scores)

    assert best.tolist() == repaired.best(scores).tolist() == scores.argmax(axis=1).tolist()
    assert plain.tags(best) == [labels[i] for i in best]
    assert repaired.tags(best) == repair(plain.tags(best), scheme)
    assert not illegal(repaired.tags(best), scheme)


def test_labels_begin_with_o_and_hold_all_tags_of_each_kind() -> None:
    sentences = [tagged("O I-PER"), tagged("B-LOC O S-PER")]

    assert tag_sets.labels_of(sentences, "bioes") == (
        "O", "B-LOC", "I-LOC", "E-LOC", "S-LOC", "B-PER", "I-PER", "E-PER", "S-PER",
    )  # fmt: skip
    assert tag_sets.labels_of(sentences[:1], "iob2") == ("O", "B-PER", "I-PER")
    assert tag_sets.labels_of(sentences, "plain") == ("O", "B-LOC", "I-PER", "S-PER")
    assert tag_sets.labels_of([tagged("VERB ADJ")], "plain") == ("ADJ", "VERB")
    assert tag_sets.labels_of([tagged("B I O")], "iob2") == ("O", "B", "I")


def test_bilou_is_spelled_as_bioes() -> None:
    sentence = tagged("B-A I-A L-A U-A L U O")
    labels = tag_sets.labels_of([sentence], "bioes")

    assert tag_sets.spelled(labels, "bioes") == [*labels]
    numbers = {label: i for i, label in enumerate(labels)}
    found = tag_sets.tag_numbers(sentence, numbers, "bioes")
    assert [labels[i] for i in found] == ["B-A", "I-A", "E-A", "S-A", "E", "S", "O"]


@pytest.mark.parametrize(
    ("labels", "scheme"),
    [
        ("O B-MISC I-MISC B-PER I-PER", "iob2"),
        ("B-LOC B-MISC I-LOC I-MISC I-PER O", "iob1"),
        ("I-LOC I-PER O", "iob1"),
        ("O B-X I-X E-X S-X", "bioes"),
        ("ADJ NOUN O", "plain"),
        ("LABEL_0 LABEL_1", "plain"),
        ("O B-X I-X [CLS]", "plain"),
    ],
)
def test_the_labels_of_a_model_tell_its_scheme(labels: str, scheme: str) -> None:
    assert tag_sets.scheme_of_labels(labels.split()) == scheme


@pytest.mark.parametrize(
    ("tags", "scheme", "message"),
    [
        ("O O", "iob2", "a:1: all words of all 2 examples have the same tag (O)"),
        ("O NOUN", "iob2", "b:7: `NOUN` is no tag of iob2; expected O or B-..., I-.... Mend it"),
        ("O E-A", "iob2", "b:7: `E-A` is no tag of iob2"),
    ],
)
def test_labels_that_cannot_be_are_refused(tags: str, scheme: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        tag_sets.labels_of([tagged("O", "a:1"), tagged(tags, "b:7")], scheme)
    assert message in str(caught.value)


def test_no_words_and_no_tags_are_refused() -> None:
    with pytest.raises(DataError, match=r"\(there are no words\)"):
        tag_sets.labels_of([tagged("")], "iob2")
    with pytest.raises(DataError, match="file:9: the words have no tags"):
        tag_sets.scheme_of([tagged("O"), TaggedExample("1", "", (), None, "file:9")])


def test_a_tag_of_no_scheme_is_named_with_its_place() -> None:
    with pytest.raises(DataError, match=r"b:7: tag `PER` stands beside .* The flag is --scheme"):
        tag_sets.scheme_of([tagged("O B-PER", "a:1"), tagged("O PER", "b:7")])


def test_a_tag_that_training_did_not_have_is_named_with_its_place() -> None:
    numbers = {"O": 0, "B-A": 1, "I-A": 2}
    with pytest.raises(DataError, match=r"b:7: label 'B-C' is none of the 3 .*'O', 'B-A', 'I-A'"):
        tag_sets.tag_numbers(tagged("O B-C", "b:7"), numbers, "iob2")


def test_sentences_that_break_their_scheme_are_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sentences = [tagged("O B-A I-A"), tagged("O I-A", "b:7"), tagged("I-A", "c:9")]
    with caplog.at_level(logging.WARNING):
        tag_sets.warn_of_illegal(sentences[:1], "iob2")
        assert not caplog.messages
        tag_sets.warn_of_illegal(sentences, "iob2")
    (message,) = caplog.messages
    assert message.startswith("b:7: word 2, `I-A` after `O`, which iob2 does not have (2 of 3 ")


def test_later_pieces_are_inside() -> None:
    labels = ("O", "B-A", "I-A", "B-C", "S-A", "B", "I")
    assert tag_sets.continuations(labels, "bioes").tolist() == [0, 2, 2, 3, 4, 6, 6]
    assert tag_sets.continuations(labels, "plain").tolist() == [*range(7)]


def test_the_worked_examples_hold() -> None:
    for module in (tag_decoding, tag_sets):
        found = doctest.testmod(module)
        assert found.attempted
        assert not found.failed
