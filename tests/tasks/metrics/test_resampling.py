"""Intervals are quantiles of the figure over resamples, the same for the same seed."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics import resampling
from unmask.tasks.metrics.resampling import (
    Bootstrap,
    intervals,
    mean_interval,
    sum_intervals,
    times,
)

QUIET = settings(deadline=None, derandomize=True)


@QUIET
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20), st.integers(0, 5))
def test_a_mean_is_resampled_as_any_figure_of_the_drawn_examples(
    values: list[float], seed: int
) -> None:
    bootstrap = Bootstrap(seed=seed, num_resamples=50, level=0.8)
    found = mean_interval(values, bootstrap)
    drawn = np.random.default_rng(seed).integers(len(values), size=(50, len(values)))
    expected = np.quantile(np.array(values)[drawn].mean(axis=1), [0.1, 0.9])
    assert found.value == pytest.approx(np.mean(values), abs=1e-9)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-9)
    assert (found.level, found.num_resamples) == (0.8, 50)
    assert found == mean_interval(values, bootstrap)


def test_an_interval_of_hits_is_that_of_the_binomial_distribution() -> None:
    hits = np.arange(1000) < 800
    found = mean_interval(hits, Bootstrap(seed=0, num_resamples=20_000))
    expected = stats.binom(1000, 0.8).ppf([0.025, 0.975]) / 1000
    # Quantiles of 20,000 draws of a variable that moves in steps of 0.001.
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.0015)


def test_resamples_do_not_depend_on_how_many_are_held_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.arange(7.0)
    whole = mean_interval(values, Bootstrap(seed=5, num_resamples=33))
    monkeypatch.setattr(resampling, "_CHUNK_DRAWS", 20)
    assert mean_interval(values, Bootstrap(seed=5, num_resamples=33)) == whole


def test_sums_give_ratios_their_intervals() -> None:
    right, words = np.array([[3, 4], [0, 1], [5, 5]]).T
    bootstrap = Bootstrap(seed=2, num_resamples=100)
    found = sum_intervals(
        np.stack((right, words), axis=1), lambda sums: {"rate": sums[:, 0] / sums[:, 1]}, bootstrap
    )
    again = intervals(
        3, lambda rows: {"rate": right[rows].sum(axis=1) / words[rows].sum(axis=1)}, bootstrap
    )
    assert found["rate"].value == 0.8
    assert found == again


def test_times_counts_each_example() -> None:
    assert times(np.array([[0, 0, 2], [1, 2, 0]])).tolist() == [[2, 0, 1], [1, 1, 1]]


def test_resamples_that_leave_a_figure_undefined_do_not_count() -> None:
    positive = np.array([1.0, 0.0])

    def rate(indices: np.ndarray) -> dict[str, np.ndarray]:
        drawn = positive[indices].sum(axis=1)
        return {"of positives": np.where(drawn > 0, drawn, np.nan), "never": np.nan * drawn}

    found = intervals(2, rate, Bootstrap(seed=0, num_resamples=1000))
    assert found.keys() == {"of positives"}
    assert 700 < found["of positives"].num_resamples < 800  # three of four, in the mean


def test_a_figure_that_few_resamples_define_is_refused() -> None:
    def rare(indices: np.ndarray) -> dict[str, np.ndarray]:
        both = (np.sort(indices, axis=1) == np.arange(5)).all(axis=1)
        return {"rare": np.where(both, 1.0, np.nan)}

    with pytest.raises(DataError, match=r"rare is defined on .* of 1000 resamples"):
        intervals(5, rare, Bootstrap())


def test_a_thousand_resamples_of_five_thousand_examples_take_no_time() -> None:
    hits = np.random.default_rng(0).random(5000) < 0.9
    start = time.perf_counter()
    mean_interval(hits, Bootstrap(num_resamples=1000))
    assert time.perf_counter() - start < 1  # 0.15 s alone on one core


def test_what_cannot_be_resampled_is_refused() -> None:
    with pytest.raises(DataError, match="values: there are none"):
        mean_interval([], Bootstrap())
    with pytest.raises(DataError, match="values: nan in row 1"):
        mean_interval([1.0, np.nan], Bootstrap())
    with pytest.raises(UsageError, match="parts: 1 dimensions"):
        sum_intervals([1.0], lambda sums: {"sum": sums[:, 0]}, Bootstrap())
    with pytest.raises(DataError, match="no examples to resample"):
        intervals(0, lambda rows: {"count": rows.sum(axis=1)}, Bootstrap())
    for wrong in ({"num_resamples": 0}, {"level": 0.0}, {"level": 1.0}):
        with pytest.raises(UsageError, match="expected at least 1 resample and a level between"):
            Bootstrap(**wrong)
