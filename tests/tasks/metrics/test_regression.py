"""Correlations and errors of numbers, with a stated answer where scipy has none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.regression import score_intervals, scores
from unmask.tasks.metrics.resampling import Bootstrap

QUIET = settings(deadline=None, derandomize=True)

numbers = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6))
pairs = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=12)


@QUIET
@given(pairs)
def test_figures_are_finite_bounded_and_silent(case: list[tuple[float, float]]) -> None:
    targets, predictions = np.array(case).T
    found = scores(targets, predictions)
    assert all(np.isfinite(value) for value in found.values())
    assert -1.000001 <= found["pearson"] <= 1.000001
    assert -1.000001 <= found["spearman"] <= 1.000001
    assert found["mean_absolute_error"] ** 2 <= found["mean_squared_error"] * (1 + 1e-9)


@QUIET
@given(pairs.filter(lambda case: all(len(set(side)) > 1 for side in zip(*case, strict=True))))
def test_correlations_are_those_of_scipy(case: list[tuple[float, float]]) -> None:
    targets, predictions = np.array(case).T
    found = scores(targets, predictions)
    assert found["spearman"] == pytest.approx(stats.spearmanr(targets, predictions).statistic)
    if all(np.ptp(side) > 1e-6 * np.abs(side).max() for side in (targets, predictions)):
        expected = stats.pearsonr(targets, predictions).statistic
        assert found["pearson"] == pytest.approx(expected)


@pytest.mark.parametrize("predictions", [[2.5, 2.5, 2.5], [1e9, 1e9 + 1e-7, 1e9]])
def test_constant_predictions_correlate_with_nothing(predictions: list[float]) -> None:
    assert scores([1, 2, 3], predictions)["pearson"] == 0
    assert scores(predictions, [1, 2, 3])["pearson"] == 0
    assert scores([1.0], [2.0]) == {
        "pearson": 0,
        "spearman": 0,
        "mean_squared_error": 1,
        "mean_absolute_error": 1,
    }


def test_a_small_example_by_hand() -> None:
    found = scores([0, 0, 3], [1, 2, 6])
    assert found["pearson"] == pytest.approx(9 / np.sqrt(6 * 14))
    assert found["spearman"] == pytest.approx(1.5 / np.sqrt(1.5 * 2))
    assert found["mean_squared_error"] == pytest.approx((1 + 4 + 9) / 3)
    assert found["mean_absolute_error"] == pytest.approx(2)


@settings(QUIET, max_examples=20)
@given(pairs)
def test_intervals_hold_the_figures_of_the_resampled_examples(
    case: list[tuple[float, float]],
) -> None:
    targets, predictions = np.array(case).T
    found = score_intervals(targets, predictions, Bootstrap(seed=2, num_resamples=40))
    drawn = np.random.default_rng(2).integers(len(targets), size=(40, len(targets)))
    again = [scores(targets[rows], predictions[rows]) for rows in drawn]
    for name, value in scores(targets, predictions).items():
        assert found[name].value == pytest.approx(value)
        low, high = np.quantile([figures[name] for figures in again], [0.025, 0.975])
        assert (found[name].low, found[name].high) == pytest.approx((low, high))


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(UsageError, match="2 targets, 1 predictions"):
        scores([1, 2], [1])
    with pytest.raises(DataError, match="targets: nan in row 1"):
        scores([1, np.nan], [1, 2])
    with pytest.raises(DataError, match=r"predictions: inf in row 0 \(1 of 2"):
        scores([1, 2], [np.inf, 2])
    with pytest.raises(DataError, match="targets: there are none"):
        score_intervals([], [], Bootstrap())
