"""Span figures are seqeval's, in both of its modes."""

from __future__ import annotations

import os
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from seqeval.metrics import accuracy_score, classification_report
from seqeval.scheme import IOB1, IOB2, IOBES

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.resampling import Bootstrap
from unmask.tasks.metrics.spans import count, score_intervals, scores

QUIET = settings(deadline=None, derandomize=True)

LETTERS = {"iob1": "BI", "iob2": "BI", "bioes": "BIES"}
STRICT = {"iob1": IOB1, "iob2": IOB2, "bioes": IOBES}
Pairs = list[tuple[str, str]]


def sentences(scheme: str) -> st.SearchStrategy[list[Pairs]]:
    tags = ["O", *(f"{letter}-{label}" for letter in LETTERS[scheme] for label in ("A", "B", "C"))]
    tag = st.sampled_from(tags)
    # Mostly right, so that there is something to count.
    word = st.one_of(tag.map(lambda tag: (tag, tag)), st.tuples(tag, tag))
    return st.lists(st.lists(word, max_size=6), min_size=1, max_size=5).filter(any)


in_a_scheme = st.sampled_from(sorted(LETTERS)).flatmap(
    lambda scheme: st.tuples(st.just(scheme), sentences(scheme))
)


KEYS = {"precision": "precision", "recall": "recall", "f1": "f1-score", "support": "support"}


def sides(pairs: list[Pairs]) -> tuple[list[list[str]], list[list[str]]]:
    return [[one for one, _ in s] for s in pairs], [[other for _, other in s] for s in pairs]


def reports(gold: list[list[str]], predicted: list[list[str]], scheme: str) -> dict[str, float]:
    """What seqeval says, under our names; its mean over no labels is NaN, ours is 0."""
    found = {"accuracy": float(accuracy_score(gold, predicted))}
    for prefix, mode in (("", {}), ("strict_", {"mode": "strict", "scheme": STRICT[scheme]})):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            report = classification_report(
                gold, predicted, output_dict=True, zero_division=0, **mode
            )
        del report["weighted avg"]
        for name, values in report.items():
            ending = {"micro avg": "", "macro avg": "_macro"}.get(name, f"/{name}")
            for ours, theirs in KEYS.items():
                found[f"{prefix}{ours}{ending}"] = float(np.nan_to_num(values[theirs]))
            if name.endswith(" avg"):
                del found[f"{prefix}support{ending}"]
    return found


def corrupted(gold: list[list[str]], rate: float) -> list[list[str]]:
    """Some words with another word's tag, as a mediocre tagger would have it."""
    draw = random.Random(5)
    tags = sorted({tag for sentence in gold for tag in sentence})
    return [[draw.choice(tags) if draw.random() < rate else t for t in s] for s in gold]


@QUIET
@given(in_a_scheme)
@example(("iob2", [[("O", "O")]]))
@example(("iob2", [[("B-A", "I-A"), ("I-A", "I-A"), ("O", "B-C")]]))
@example(("bioes", [[("B-A", "B-A"), ("E-A", "I-A")], [], [("S-B", "I-B")]]))
def test_every_figure_is_that_of_seqeval(case: tuple[str, list[Pairs]]) -> None:
    scheme, pairs = case
    gold, predicted = sides(pairs)
    assert scores(gold, predicted, scheme) == pytest.approx(reports(gold, predicted, scheme))


@pytest.mark.parametrize(
    ("file", "column"),
    [("wnut17/emerging.dev.conll", 1), ("ncbi-disease/devel.tsv", 1)],
)
def test_real_entities_score_as_with_seqeval(file: str, column: int) -> None:
    if "UNMASK_DATA" not in os.environ:
        pytest.skip("UNMASK_DATA is not set: no real tags to compare on")
    text = Path(os.environ["UNMASK_DATA"], file).read_text(encoding="utf-8")
    blocks = text.replace("\r", "").strip().split("\n\n")
    gold = [[line.split("\t")[column] for line in b.split("\n") if line.strip()] for b in blocks]
    predicted = corrupted(gold, 0.05)
    found = scores(gold, predicted, "iob2")
    assert found == pytest.approx(reports(gold, predicted, "iob2"))
    assert 0 < found["f1"] < 1
    assert found["strict_f1"] != found["f1"]
    perfect = scores(gold, gold, "iob2")
    assert perfect["f1"] == perfect["accuracy"] == perfect["f1_macro"] == 1


def test_a_small_example_by_hand() -> None:
    gold = [["B-A", "I-A", "O", "B-B"], ["O", "B-A"]]
    predicted = [["I-A", "I-A", "O", "B-A"], ["O", "B-A"]]
    # Spans: A 0-2 and A 1-2 are found, B is taken for A. Strictly the first has no beginning.
    assert scores(gold, predicted, "iob2") == pytest.approx(
        {
            "accuracy": 4 / 6,
            "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3,
            "precision_macro": 1 / 3, "recall_macro": 1 / 2, "f1_macro": 2 / 5,
            "precision/A": 2 / 3, "recall/A": 1, "f1/A": 4 / 5, "support/A": 2,
            "precision/B": 0, "recall/B": 0, "f1/B": 0, "support/B": 1,
            "strict_precision": 1 / 2, "strict_recall": 1 / 3, "strict_f1": 2 / 5,
            "strict_precision_macro": 1 / 4, "strict_recall_macro": 1 / 4, "strict_f1_macro": 1 / 4,
            "strict_precision/A": 1 / 2, "strict_recall/A": 1 / 2, "strict_f1/A": 1 / 2,
            "strict_support/A": 2,
            "strict_precision/B": 0, "strict_recall/B": 0, "strict_f1/B": 0, "strict_support/B": 1,
        }
    )  # fmt: skip


def test_counts_are_kept_by_sentence_and_label() -> None:
    counts = count(
        [["B-A", "B-B"], ["O", "B-A"]], [["B-A", "B-A"], ["O", "O"]], "iob2", strict=False
    )
    assert counts.labels == ("A", "B")
    assert counts.correct.tolist() == [[1, 0], [0, 0]]
    assert counts.predicted.tolist() == [[2, 0], [0, 0]]
    assert counts.gold.tolist() == [[1, 1], [1, 0]]


def test_with_plain_tags_both_modes_are_the_accuracy() -> None:
    found = scores([["NOUN", "VERB"], ["NOUN"]], [["NOUN", "NOUN"], ["NOUN"]], "plain")
    assert found["accuracy"] == found["f1"] == found["strict_f1"] == pytest.approx(2 / 3)
    assert found["recall/VERB"] == 0


@settings(QUIET, max_examples=20)
@given(in_a_scheme)
def test_intervals_hold_the_figures_of_the_resampled_sentences(
    case: tuple[str, list[Pairs]],
) -> None:
    scheme, pairs = case
    gold, predicted = sides([sentence for sentence in pairs if sentence])
    bootstrap = Bootstrap(seed=3, num_resamples=60, level=0.5)
    found = score_intervals(gold, predicted, scheme, bootstrap)
    expected = scores(gold, predicted, scheme)
    assert {name: interval.value for name, interval in found.items()} == pytest.approx(
        {name: value for name, value in expected.items() if "support" not in name}
    )
    drawn = np.random.default_rng(3).integers(len(gold), size=(60, len(gold)))
    again = [
        scores([gold[i] for i in rows], [predicted[i] for i in rows], scheme)
        for rows in drawn
        if any(gold[i] for i in rows)
    ]
    for name in ("f1", "strict_f1", "f1_macro", "accuracy"):
        low, high = np.quantile([figures[name] for figures in again], [0.25, 0.75])
        assert (found[name].low, found[name].high) == pytest.approx((low, high))


def test_an_f1_of_many_sentences_is_resampled_in_a_moment() -> None:
    gold = [["B-A", "I-A", "O", "B-B"], ["O", "B-A"], ["O"]] * 1000
    found = score_intervals(gold, corrupted(gold, 0.1), "iob2", Bootstrap(seed=0))
    assert found["f1"].num_resamples == 1000
    assert found["f1"].low < found["f1"].value < found["f1"].high
    assert found["f1"].high - found["f1"].low < 0.05


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="2 gold sentences, 1 predicted sentences; expected as"):
        scores([["O"], ["O"]], [["O"]], "iob2")
    with pytest.raises(UsageError, match="sentence 1 has 2 gold tags and 1 predicted ones"):
        scores([["O"], ["O", "O"]], [["O"], ["O"]], "iob2")
    with pytest.raises(DataError, match="no words to measure"):
        scores([[]], [[]], "iob2")
    with pytest.raises(DataError, match="no words to measure"):
        score_intervals([], [], "iob2", Bootstrap())
    with pytest.raises(DataError, match=r"`S-A`.* is no tag of iob2"):
        scores([["O"]], [["S-A"]], "iob2")
    with pytest.raises(UsageError, match="unknown tag scheme"):
        scores([["O"]], [["O"]], "iob")
