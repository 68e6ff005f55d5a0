"""Scores of several labels at once are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn import metrics

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.multi_label import score_intervals, scores
from unmask.tasks.metrics.resampling import Bootstrap

QUIET = settings(deadline=None, derandomize=True)

Case = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def judged(draw: st.DrawFn) -> Case:
    shape = (draw(st.integers(1, 10)), draw(st.integers(1, 3)))
    size = shape[0] * shape[1]
    targets = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    tenths = st.integers(0, 10).map(lambda tenth: tenth / 10)
    probabilities = draw(st.lists(tenths, min_size=size, max_size=size))
    thresholds = draw(st.lists(tenths, min_size=shape[1], max_size=shape[1]))
    return np.reshape(targets, shape), np.reshape(probabilities, shape), np.array(thresholds)


def names_of(case: Case) -> list[str]:
    return list("abc")[: len(case[2])]


@QUIET
@given(judged())
@example((np.ones((2, 2)), np.ones((2, 2)), np.ones(2)))
def test_every_figure_is_that_of_scikit_learn(case: Case) -> None:
    gold, probable, thresholds = case
    found = scores(gold, probable, names_of(case), thresholds)
    # A column of a label that nobody has or finds changes no figure of the others, and keeps
    # scikit-learn from taking a single column for two classes.
    wide = [np.pad(side, ((0, 0), (0, 1))) for side in (gold, probable >= thresholds)]
    labels = range(gold.shape[1])
    expected = {
        "accuracy": metrics.accuracy_score(*wide),
        "hamming_loss": metrics.hamming_loss(*wide) * wide[0].shape[1] / gold.shape[1],
    }
    for metric in ("precision", "recall", "f1"):
        score = getattr(metrics, f"{metric}_score")
        for average in ("micro", "macro", "weighted"):
            expected[f"{metric}_{average}"] = score(
                *wide, labels=labels, average=average, zero_division=0
            )
        by_label = score(*wide, labels=labels, average=None, zero_division=0)
        expected |= {f"{metric}/{name}": by_label[i] for i, name in enumerate(names_of(case))}
    expected |= {f"support/{name}": gold[:, i].sum() for i, name in enumerate(names_of(case))}
    mixed = [i for i in labels if 0 < gold[:, i].sum() < len(gold)]
    if mixed:
        for name in ("average_precision", "roc_auc"):
            score = getattr(metrics, f"{name}_score")
            figures = [score(gold[:, i], probable[:, i]) for i in mixed]
            expected[f"{name}_macro"] = np.mean(figures)
    assert found == pytest.approx(expected)


def test_a_label_counts_from_its_own_threshold_on() -> None:
    probabilities = [[0.3, 0.3], [0.29, 0.31]]
    found = scores([[1, 0], [0, 1]], probabilities, ["a", "b"], [0.3, 0.305])
    assert found["accuracy"] == found["f1_macro"] == found["roc_auc_macro"] == 1
    assert scores([[1, 0], [0, 1]], probabilities, ["a", "b"], [0.5, 0.5])["recall_micro"] == 0


@pytest.mark.parametrize(("num_labels", "size"), [(1, 10), (2, 20), (3, 30)])
def test_intervals_hold_the_figures_of_the_resampled_examples(num_labels: int, size: int) -> None:
    draw = np.random.default_rng(num_labels)
    gold = draw.integers(2, size=(size, num_labels))
    probable = draw.random((size, num_labels)).round(1)  # with ties
    thresholds = draw.random(num_labels)
    names = list("abc")[:num_labels]
    found = score_intervals(gold, probable, names, thresholds, Bootstrap(seed=4, num_resamples=40))
    expected = scores(gold, probable, names, thresholds)
    assert {name: interval.value for name, interval in found.items()} == pytest.approx(
        {name: value for name, value in expected.items() if "support" not in name}
    )
    drawn = np.random.default_rng(4).integers(len(gold), size=(40, len(gold)))
    again = [scores(gold[rows], probable[rows], names, thresholds) for rows in drawn]
    for name, interval in found.items():
        figures = [figure[name] for figure in again if name in figure]
        assert interval.num_resamples == len(figures)
        low, high = np.quantile(figures, [0.025, 0.975])
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(
    ("targets", "probabilities", "thresholds", "error", "match"),
    [
        ([[1, 0]], [[0.5, 0.5]] * 2, [0.5, 0.5], UsageError, "1 targets, 2 probabilities"),
        ([[1, 0]], [[0.5, 0.5]], [0.5], UsageError, "2 names, 1 thresholds"),
        ([[1]], [[0.5, 0.5]], [0.5, 0.5], UsageError, "1 columns of targets"),
        ([[2, 0]], [[0.5, 0.5]], [0.5, 0.5], DataError, "targets: 2 in row 0; expected whole"),
        ([[1, 0]], [[1.5, 0.5]], [0.5, 0.5], DataError, r"values from 0\.5 to 1\.5"),
        ([[1, 0]], [[np.nan, 0.5]], [0.5, 0.5], DataError, "probabilities: nan in row 0"),
        ([1, 0], [[0.5, 0.5]], [0.5, 0.5], UsageError, "targets: 1 dimensions"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    targets: object, probabilities: object, thresholds: object, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        scores(targets, probabilities, ["a", "b"], thresholds)
