"""Temperatures and bins of confidence say what Guo et al. 2017 say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from unmask.errors import DataError, UsageError
from unmask.tasks.metrics.calibration import (
    GREATEST_TEMPERATURE,
    LEAST_TEMPERATURE,
    fit_sigmoid_temperature,
    fit_temperature,
    reliability,
)

QUIET = settings(deadline=None, derandomize=True)


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    size, num_classes = draw(st.integers(1, 10)), draw(st.integers(2, 4))
    row = st.lists(st.floats(-30, 30), min_size=num_classes, max_size=num_classes)
    logits = draw(st.lists(row, min_size=size, max_size=size))
    labels = draw(st.lists(st.integers(0, num_classes - 1), min_size=size, max_size=size))
    return np.array(logits), np.array(labels)


def loss(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    wanted = np.arange(logits.shape[1]) == labels[:, None]
    return float(-np.log(softmax(logits / temperature, axis=1)[wanted].clip(1e-300)).mean())


@QUIET
@given(judged())
def test_a_temperature_never_makes_its_own_data_less_likely(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    logits, labels = case
    found = fit_temperature(logits, labels)
    assert LEAST_TEMPERATURE <= found <= GREATEST_TEMPERATURE
    best = loss(logits, labels, found)
    assert best <= loss(logits, labels, 1.0)
    for other in np.geomspace(LEAST_TEMPERATURE, GREATEST_TEMPERATURE, 40):
        assert best <= loss(logits, labels, float(other)) + 1e-4


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(true: float) -> None:
    draw = np.random.default_rng(0)
    logits = draw.normal(scale=3, size=(20_000, 4))
    probabilities = softmax(logits / true, axis=1)
    labels = (probabilities.cumsum(axis=1) > draw.random((len(logits), 1))).argmax(axis=1)
    # The standard error over 20,000 examples is near 1 %.
    assert fit_temperature(logits, labels) == pytest.approx(true, rel=0.05)


def test_labels_decided_by_themselves_have_a_temperature_too() -> None:
    draw = np.random.default_rng(1)
    logits = draw.normal(scale=4, size=(8000, 3))
    targets = (draw.random(logits.shape) < expit(logits / 2)).astype(float)
    found = fit_sigmoid_temperature(logits, targets)
    assert found == pytest.approx(2, rel=0.05)
    fitted, plain = (log_loss(targets.ravel(), expit(logits / t).ravel()) for t in (found, 1))
    assert fitted < plain


def test_where_every_answer_is_right_the_temperature_is_bounded() -> None:
    found = fit_temperature([[9.0, 0.0], [0.0, 9.0]], [0, 1])
    assert LEAST_TEMPERATURE <= found <= 1
    assert fit_temperature([[0.0, 0.0]], [1]) == 1


def test_reliability_by_hand() -> None:
    probabilities = [[0.55, 0.45], [0.95, 0.05], [0.95, 0.05], [0.1, 0.9]]
    found = reliability([0, 0, 1, 1], probabilities, 5)
    assert found.edges == pytest.approx(np.array([0, 0.2, 0.4, 0.6, 0.8, 1]))
    assert found.count.tolist() == [0, 0, 1, 0, 3]
    assert found.confidence == pytest.approx(np.array([0, 0, 0.55, 0, 2.8 / 3]))
    assert found.accuracy == pytest.approx(np.array([0, 0, 1, 0, 2 / 3]))
    error = (1 * (1 - 0.55) + 3 * (2.8 / 3 - 2 / 3)) / 4
    assert found.expected_calibration_error == pytest.approx(error)


@QUIET
@given(judged(), st.integers(1, 20))
def test_bins_hold_every_example_once_and_are_those_of_scikit_learn(
    case: tuple[np.ndarray, np.ndarray], num_bins: int
) -> None:
    logits, labels = case
    probabilities = softmax(logits, axis=1)
    found = reliability(labels, probabilities, num_bins)
    right = probabilities.argmax(axis=1) == labels
    assert found.count.sum() == len(labels)
    assert found.count @ found.accuracy == pytest.approx(right.sum())
    assert 0 <= found.expected_calibration_error <= 1
    # scikit-learn's bins hold their upper edge as well, and the empty ones are left out.
    accuracy, confidence = calibration_curve(right, probabilities.max(axis=1), n_bins=num_bins)
    assert found.accuracy[found.count > 0] == pytest.approx(accuracy)
    assert found.confidence[found.count > 0] == pytest.approx(confidence)


def test_what_cannot_be_calibrated_is_refused() -> None:
    with pytest.raises(UsageError, match="0 bins; expected at least 1"):
        reliability([0], [[0.5, 0.5]], 0)
    with pytest.raises(UsageError, match="2 labels, 1 probabilities"):
        reliability([0, 1], [[0.5, 0.5]], 5)
    with pytest.raises(DataError, match="logits: nan in row 0"):
        fit_temperature([[np.nan, 1.0]], [0])
    with pytest.raises(DataError, match="labels: 2 in row 1"):
        fit_temperature([[0.0, 1.0]] * 2, [0, 2])
    with pytest.raises(UsageError, match="1 logits, 2 labels"):
        fit_temperature([[0.0, 1.0]], [0, 1])
    with pytest.raises(DataError, match="logits: there are none"):
        fit_temperature(np.zeros((0, 2)), [])
    with pytest.raises(DataError, match=r"targets: 0\.5 in row 0"):
        fit_sigmoid_temperature([[1.0]], [[0.5]])
    with pytest.raises(UsageError, match="2 columns of logits, 1 columns of targets"):
        fit_sigmoid_temperature([[1.0, 2.0]], [[1]])
