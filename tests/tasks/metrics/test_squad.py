"""Answers are scored by the rules that SQuAD publishes, written down here a second time."""

from __future__ import annotations

import json
import os
import random
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from unmask.errors import DataError
from unmask.tasks.metrics.grading import (
    QUESTION_TYPES,
    exact_match,
    f1,
    grade,
    normalize_answer,
    question_type,
)
from unmask.tasks.metrics.no_answer import best_threshold, with_threshold
from unmask.tasks.metrics.resampling import Bootstrap
from unmask.tasks.metrics.squad import by_type, score_intervals, scores

QUIET = settings(deadline=None, derandomize=True)

WORDS = ["the", "a", "An", "king", "King's", "king.", "U.S.", "5", "five", "", "-", "théâtre"]
phrases = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)


@dataclass(frozen=True)
class Answer:
    text: str


@dataclass(frozen=True)
class Asked:
    id: str
    answers: tuple[Answer, ...]
    question: str = "What is it?"


def asked(*golds: list[str]) -> list[Asked]:
    return [Asked(str(i), tuple(map(Answer, texts))) for i, texts in enumerate(golds)]


def plain_words(text: str) -> list[str]:
    """Lower case; no punctuation; no articles; split at spaces."""
    letters = [c for c in text.lower() if c not in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"]
    return [word for word in "".join(letters).split() if word not in ("a", "an", "the")]


def plain_f1(given: list[str], wanted: list[str]) -> float:
    if given == [] or wanted == []:
        return 1.0 if given == wanted else 0.0
    left = list(wanted)
    same = 0
    for word in given:
        if word in left:
            left.remove(word)
            same += 1
    if same == 0:
        return 0.0
    precision, recall = same / len(given), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


def plain_points(prediction: str, golds: list[str]) -> tuple[float, float]:
    """Exact match and F1, each the best over the answers."""
    wanted = [words for words in map(plain_words, golds) if words] or [[]]
    given = plain_words(prediction)
    return float(given in wanted), max(plain_f1(given, words) for words in wanted)


def plain_best(points: dict[str, float], cases: list[Asked], given: dict[str, str],
               values: dict[str, float]) -> float:  # fmt: skip
    """The best mean over all thresholds, each tried in turn."""
    reached = []
    for limit in [-np.inf, *values.values()]:
        score = 0.0
        for case in cases:
            if values[case.id] > limit or (not given[case.id] and not case.answers):
                score += not case.answers
            else:
                score += points[case.id] if case.answers else 0.0
        reached.append(score / len(cases))
    return max(reached)


gold_sets = st.one_of(st.just([]), st.lists(phrases.filter(str), min_size=1, max_size=3))
whole_cases = st.lists(
    st.tuples(gold_sets, phrases, st.integers(-2, 3).map(lambda third: third / 3)),
    min_size=1,
    max_size=8,
)


@QUIET
@given(phrases, phrases)
@example("the", "a")
@example("the king", "king's")
def test_two_answers_are_compared_by_the_published_rules(one: str, other: str) -> None:
    assert normalize_answer(one) == " ".join(plain_words(one))
    assert exact_match(one, other) == (plain_words(one) == plain_words(other))
    assert f1(one, other) == pytest.approx(plain_f1(plain_words(one), plain_words(other)))
    assert f1(one, other) == f1(other, one)
    assert f1(one, other) >= exact_match(one, other)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The Beatles", "beatles"),
        ("  an   apple a day\n", "apple day"),
        ("U.S.A.", "usa"),
        ("a-b", "ab"),
        ("theatre", "theatre"),
        ("«Thé»", "«thé»"),
        ("$1,000", "1000"),
        ("the", ""),
    ],
)
def test_normalisation(text: str, normal: str) -> None:
    assert normalize_answer(text) == normal


@QUIET
@given(whole_cases)
def test_reports_are_means_by_the_published_rules(
    case: list[tuple[list[str], str, float]],
) -> None:
    cases = asked(*(golds for golds, _, _ in case))
    given = {str(i): prediction for i, (_, prediction, _) in enumerate(case)}
    points = [plain_points(prediction, golds) for golds, prediction, _ in case]
    expected = {}
    for prefix, kind in (("", (True, False)), ("HasAns_", (True,)), ("NoAns_", (False,))):
        chosen = [p for p, (golds, _, _) in zip(points, case, strict=True) if bool(golds) in kind]
        if chosen:
            expected[f"{prefix}exact"] = np.mean([exact for exact, _ in chosen])
            expected[f"{prefix}f1"] = np.mean([overlap for _, overlap in chosen])
            expected[f"{prefix}total"] = len(chosen)
    assert scores(given, cases) == pytest.approx(expected)
    intervals = score_intervals(grade(given, cases), Bootstrap(num_resamples=200))
    types = {
        f"{metric}/{kind}": value
        for kind, figures in by_type(grade(given, cases)).items()
        for metric, value in figures.items()
    }
    assert {name: interval.value for name, interval in intervals.items()} == pytest.approx(
        {name: value for name, value in (expected | types).items() if "total" not in name}
    )


@QUIET
@given(whole_cases)
def test_the_best_threshold_is_the_best_of_all_and_can_be_reached(
    case: list[tuple[list[str], str, float]],
) -> None:
    cases = asked(*(golds for golds, _, _ in case))
    given = {str(i): prediction for i, (_, prediction, _) in enumerate(case)}
    values = {str(i): value for i, (_, _, value) in enumerate(case)}
    found = scores(given, cases, values)
    graded = grade(given, cases)
    for name, points in (("exact", graded.exact), ("f1", graded.f1)):
        by_id = dict(zip(graded.ids, points, strict=True))
        assert found[f"best_{name}"] == pytest.approx(plain_best(by_id, cases, given, values))
        emptied = with_threshold(given, values, found[f"best_{name}_thresh"])
        # Articles alone are text here and nothing after normalisation, as in the script.
        texts = [*given.values(), *(gold for golds, _, _ in case for gold in golds)]
        if all(plain_words(text) for text in texts if text):
            assert scores(emptied, cases)[name] == pytest.approx(found[f"best_{name}"])
            assert found[f"best_{name}"] >= found[name] - 1e-12


def test_a_threshold_by_hand() -> None:
    cases = asked(["Rome"], [], ["Paris"], [])
    given = {"0": "Rome", "1": "Oslo", "2": "Nice", "3": "Bern"}
    values = {"0": 0.1, "1": 0.6, "2": 0.7, "3": 0.8}
    found = scores(given, cases, values)
    assert found["exact"] == 0.25
    assert found["NoAns_exact"] == 0
    assert (found["best_exact"], found["best_exact_thresh"]) == (0.75, 0.1)
    assert with_threshold(given, values, 0.1) == {"0": "Rome", "1": "", "2": "", "3": ""}


def test_where_silence_is_best_the_threshold_lies_below_every_score() -> None:
    cases = asked([], [])
    given = {"0": "Rome", "1": "Oslo"}
    for lowest, expected in ((0.5, 0.0), (-3.0, np.nextafter(-3.0, -np.inf))):
        values = {"0": lowest, "1": 1.0}
        best = best_threshold(grade(given, cases), values, "exact")
        assert (best.value, best.threshold) == (1, expected)
        assert set(with_threshold(given, values, best.threshold).values()) == {""}


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What's the capital?", "what"),
        ("In which year, and who won?", "which"),
        ("To whom was it given?", "who"),
        ("WHOSE is it?", "who"),
        ("How many, and why?", "how"),
        ("Is whatever she said true?", "other"),
        ("", "other"),
    ],
)
def test_questions_have_the_type_of_their_first_question_word(question: str, kind: str) -> None:
    assert question_type(question) == kind
    assert kind in QUESTION_TYPES


def test_each_type_of_question_has_its_own_report() -> None:
    cases = [
        Asked("a", (Answer("1066"),), "When was it?"),
        Asked("b", (Answer("1067"),), "When was that?"),
        Asked("c", (), "Name it."),
    ]
    graded = grade({"a": "1066", "b": "", "c": "", "unasked": "x"}, cases)
    assert by_type(graded) == {
        "when": {"exact": 0.5, "f1": 0.5, "total": 2.0},
        "other": {"exact": 1.0, "f1": 1.0, "total": 1.0},
    }


def test_what_cannot_be_scored_is_refused() -> None:
    cases = asked(["Rome"], [])
    with pytest.raises(DataError, match="1 of 2 questions have no prediction, the first is `1`"):
        scores({"0": "Rome"}, cases)
    with pytest.raises(DataError, match="no questions"):
        scores({}, [])
    with pytest.raises(DataError, match="question `0` comes 2 times"):
        scores({"0": ""}, [*cases, *cases])
    with pytest.raises(DataError, match="2 of 2 questions have no no-answer score"):
        scores({"0": "", "1": ""}, cases, {})
    with pytest.raises(DataError, match="no_answer_scores: nan in row 1"):
        scores({"0": "", "1": ""}, cases, {"0": 0.0, "1": float("nan")})


def test_real_questions_score_by_the_published_rules() -> None:
    if "UNMASK_DATA" not in os.environ:
        pytest.skip("UNMASK_DATA is not set: no real questions to score")
    file = Path(os.environ["UNMASK_DATA"], "squad2-cs224n", "dev-v2.0.json")
    articles = json.loads(file.read_text(encoding="utf-8"))["data"][-4:]
    draw = random.Random(3)
    cases, given = [], {}
    for paragraph in (part for article in articles for part in article["paragraphs"]):
        for asked_here in paragraph["qas"]:
            golds = tuple(Answer(answer["text"]) for answer in asked_here["answers"])
            cases.append(Asked(asked_here["id"], golds, asked_here["question"]))
            pieces = re.split(r"(?<=[,.]) ", paragraph["context"])
            given[asked_here["id"]] = draw.choice(["", *pieces, *(g.text for g in golds)])
    graded = grade(given, cases)
    expected = [plain_points(given[case.id], [g.text for g in case.answers]) for case in cases]
    assert graded.exact == pytest.approx(np.array([exact for exact, _ in expected]))
    assert graded.f1 == pytest.approx(np.array([overlap for _, overlap in expected]))
    assert sum(part["total"] for part in by_type(graded).values()) == len(cases)
    golds = {case.id: case.answers[0].text if case.answers else "" for case in cases}
    perfect = scores(golds, cases)
    assert perfect["exact"] == perfect["HasAns_f1"] == perfect["NoAns_f1"] == 1
