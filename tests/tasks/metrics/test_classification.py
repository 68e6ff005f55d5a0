"""Scores of classes are scikit-learn's; what scikit-learn leaves undefined is stated."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn import metrics

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.classification import score_intervals, scores
from unmask.tasks.metrics.resampling import Bootstrap

QUIET = settings(deadline=None, derandomize=True)

NAMES = ["zero", "one", "two", "three"]


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Labels of 2 to 4 classes, often not all of them, and probabilities with ties."""
    num_classes = draw(st.integers(2, 4))
    size = draw(st.integers(1, 12))
    classes = st.integers(0, num_classes - 1)
    labels = draw(st.lists(classes, min_size=size, max_size=size))
    weights = st.lists(st.integers(0, 4), min_size=num_classes, max_size=num_classes).filter(any)
    rows = np.array(draw(st.lists(weights, min_size=size, max_size=size)), dtype=float)
    return np.array(labels), rows / rows.sum(axis=1, keepdims=True), NAMES[:num_classes]


def by_scikit_learn(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    predicted = probabilities.argmax(axis=1)
    num_classes = probabilities.shape[1]
    found = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
        "matthews_corrcoef": metrics.matthews_corrcoef(labels, predicted),
        "log_loss": metrics.log_loss(labels, probabilities, labels=range(num_classes)),
        "f1_micro": metrics.f1_score(labels, predicted, average="micro"),
    }
    for average in ("macro", "weighted"):
        for name in ("precision", "recall", "f1"):
            score = getattr(metrics, f"{name}_score")
            found[f"{name}_{average}"] = score(labels, predicted, average=average, zero_division=0)
    if num_classes == 2:
        for name in ("precision", "recall", "f1"):
            found[name] = getattr(metrics, f"{name}_score")(labels, predicted, zero_division=0)
        if len(set(labels)) == 2:
            found["average_precision"] = metrics.average_precision_score(
                labels, probabilities[:, 1]
            )
            found["roc_auc"] = metrics.roc_auc_score(labels, probabilities[:, 1])
    return found


@QUIET
@given(judged())
@example((np.array([0]), np.array([[1.0, 0.0]]), NAMES[:2]))
@example((np.array([1, 1]), np.array([[1.0, 0.0], [1.0, 0.0]]), NAMES[:2]))
def test_every_figure_is_that_of_scikit_learn(
    case: tuple[np.ndarray, np.ndarray, list[str]],
) -> None:
    labels, probabilities, names = case
    found = scores(labels, probabilities, names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of what is missing, and counts on
        expected = by_scikit_learn(labels, probabilities)
    assert {name: value for name, value in found.items() if "/" not in name} == pytest.approx(
        expected
    )


def test_a_small_example_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]])
    found = scores([0, 0, 1, 1], probabilities, ["no", "yes"])
    assert found == pytest.approx(
        {
            "accuracy": 0.5, "balanced_accuracy": 0.5, "matthews_corrcoef": 0, "f1_micro": 0.5,
            "precision_macro": 0.5, "recall_macro": 0.5, "f1_macro": 0.5,
            "precision_weighted": 0.5, "recall_weighted": 0.5, "f1_weighted": 0.5,
            "precision/no": 0.5, "recall/no": 0.5, "f1/no": 0.5, "support/no": 2,
            "precision/yes": 0.5, "recall/yes": 0.5, "f1/yes": 0.5, "support/yes": 2,
            "precision": 0.5, "recall": 0.5, "f1": 0.5,
            "roc_auc": 3 / 4,  # of the four pairs, 0.3 of "yes" lies below 0.6 of "no"
            "average_precision": (1 + 2 / 3) / 2,
            "log_loss": -math.log(0.9 * 0.4 * 0.8 * 0.3) / 4,
        }
    )  # fmt: skip


def test_a_class_without_examples_or_predictions_has_no_figures() -> None:
    found = scores([0, 1, 1], np.eye(4)[[0, 1, 0]], NAMES)
    assert not [name for name in found if name.endswith(("/two", "/three"))]
    assert found["f1_macro"] == pytest.approx((found["f1/zero"] + found["f1/one"]) / 2)


def test_one_class_alone_gives_zeros_and_no_ranking() -> None:
    found = scores([1, 1], [[0.2, 0.8], [0.9, 0.1]], ["no", "yes"])
    assert found["matthews_corrcoef"] == found["precision/no"] == found["recall/no"] == 0
    assert "roc_auc" not in found
    assert "average_precision" not in found


def test_a_certain_mistake_has_a_finite_loss() -> None:
    assert 30 < scores([0], [[0.0, 1.0]], ["a", "b"])["log_loss"] < 40


@pytest.mark.parametrize(("num_classes", "size"), [(2, 20), (3, 30), (4, 12)])
def test_intervals_hold_the_figures_of_the_resampled_examples(num_classes: int, size: int) -> None:
    draw = np.random.default_rng(num_classes)
    labels = draw.integers(num_classes, size=size)
    probabilities = draw.dirichlet(np.ones(num_classes), size).round(1) + 0.1  # with ties
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    names = NAMES[:num_classes]
    found = score_intervals(labels, probabilities, names, Bootstrap(seed=1, num_resamples=40))
    expected = scores(labels, probabilities, names)
    assert {name: interval.value for name, interval in found.items()} == pytest.approx(
        {name: value for name, value in expected.items() if "support" not in name}
    )
    drawn = np.random.default_rng(1).integers(len(labels), size=(40, len(labels)))
    again = [scores(labels[rows], probabilities[rows], names) for rows in drawn]
    for name, interval in found.items():
        figures = [figure[name] for figure in again if name in figure]
        assert interval.num_resamples == len(figures)
        low, high = np.quantile(figures, [0.025, 0.975])
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(
    ("labels", "probabilities", "names", "error", "match"),
    [
        ([0], [[0.5, 0.5], [1, 0]], "ab", UsageError, "1 labels, 2 probabilities"),
        ([0], [[0.5, 0.5]], "abc", UsageError, "3 names, 2 columns of probabilities"),
        ([], np.zeros((0, 2)), "ab", DataError, "probabilities: there are none"),
        (
            [2],
            [[0.5, 0.5]],
            "ab",
            DataError,
            "labels: 2 in row 0; expected whole numbers from 0 to 1",
        ),
        ([0.5], [[0.5, 0.5]], "ab", DataError, "labels: 0.5 in row 0"),
        ([0, np.nan], [[0.5, 0.5]] * 2, "ab", DataError, "labels: nan in row 1"),
        (["yes"], [[0.5, 0.5]], "ab", DataError, "labels: yes in row 0"),
        ([0], [[np.nan, 0.5]], "ab", DataError, "nan in row 0 .* whether training diverged"),
        ([0], [[0.3, 0.3]], "ab", DataError, "row 0 sums to 0.6; expected 1"),
        ([0], [[-1.0, 2.0]], "ab", DataError, "values from -1 to 2; expected probabilities"),
        ([0], [[1.0]], "a", UsageError, "one column; expected one for each of at least two"),
        ([[0]], [[0.5, 0.5]], "ab", UsageError, "labels: 2 dimensions"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    labels: object, probabilities: object, names: str, error: type[Exception], match: str
) -> None:
    for act in (scores, lambda *given: score_intervals(*given, Bootstrap())):
        with pytest.raises(error, match=match):
            act(labels, probabilities, list(names))
