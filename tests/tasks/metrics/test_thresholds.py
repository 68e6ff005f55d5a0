"""A tuned threshold has the best F1 that any threshold has on its data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.thresholds import FEWEST, UNTUNED, best_threshold, best_thresholds

QUIET = settings(deadline=None, derandomize=True)
probabilities = st.one_of(st.integers(0, 10).map(lambda tenth: tenth / 10), st.floats(0, 1))
cases = st.lists(st.tuples(st.integers(0, 1), probabilities), min_size=1, max_size=10)


def f1_at(targets: np.ndarray, probable: np.ndarray, threshold: float) -> float:
    return float(f1_score(targets, probable >= threshold, zero_division=0))


@QUIET
@given(cases)
@example([(1, 0.0), (0, 0.0)])
@example([(1, 0.5), (0, float(np.nextafter(0.5, 0)))])
def test_no_threshold_is_better(case: list[tuple[int, float]]) -> None:
    targets, probable = np.array(case).T
    threshold = best_threshold(targets, probable)
    assert 0 <= threshold <= 1
    found = f1_at(targets, probable, threshold)
    assert found == max(f1_at(targets, probable, t) for t in [UNTUNED, *probable])
    if found == f1_at(targets, probable, UNTUNED):
        assert threshold == UNTUNED


def test_each_label_has_its_own() -> None:
    targets = np.repeat([[1, 0], [1, 0], [0, 0]], FEWEST, axis=0)
    probable = np.repeat([[0.3, 0.9], [0.4, 0.8], [0.2, 0.7]], FEWEST, axis=0)
    # The second label is on no example: nothing is known about it.
    assert best_thresholds(targets, probable) == pytest.approx([0.25, UNTUNED])


@pytest.mark.parametrize("num_positives", [1, FEWEST - 1, FEWEST, 20, 21])
def test_a_label_with_few_examples_with_or_without_it_is_not_tuned(num_positives: int) -> None:
    targets = (np.arange(30) < num_positives).astype(int)[:, None]
    probable = np.where(targets, 0.3, 0.1)
    is_tuned = FEWEST <= num_positives <= 30 - FEWEST

    found = best_thresholds(targets, probable)

    assert found == pytest.approx([0.2 if is_tuned else UNTUNED])


def test_what_cannot_be_tuned_is_refused() -> None:
    with pytest.raises(UsageError, match="2 targets, 1 probabilities"):
        best_threshold([0, 1], [0.5])
    with pytest.raises(DataError, match=r"values from -1 to 0\.5; expected probabilities"):
        best_threshold([0, 1], [0.5, -1.0])
    with pytest.raises(DataError, match="targets: 2 in row 0"):
        best_thresholds([[2]], [[0.5]])
    with pytest.raises(UsageError, match="2 columns of targets, 1 columns of probabilities"):
        best_thresholds([[0, 1]], [[0.5]])
    with pytest.raises(DataError, match="there are none"):
        best_threshold([], [])
