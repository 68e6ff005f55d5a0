"""How far a number tells classes apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import f_oneway, pearsonr

from unmask.errors import DataError
from unmask.tasks.metrics import separation
from unmask.tasks.metrics.resampling import Bootstrap


def test_the_share_is_that_of_an_analysis_of_variance() -> None:
    draw = np.random.default_rng(3)
    classes = draw.choice(["a", "b", "c"], size=60)
    values = draw.standard_normal(60) + 5.0 + (classes == "b")
    groups = [values[classes == name] for name in ("a", "b", "c")]
    f = f_oneway(*groups).statistic  # between / (C - 1) over within / (B - C)
    expected = 2 * f / (2 * f + 57)
    assert separation.score(classes.tolist(), values) == pytest.approx(expected)
    two = ["a" if name == "a" else "rest" for name in classes]
    correlation = pearsonr([name == "a" for name in two], values).statistic
    assert separation.score(two, values) == pytest.approx(correlation**2)


def test_equal_values_tell_nothing_apart() -> None:
    assert separation.score(["a", "b"], np.array([2.0, 2.0])) == 0.0


def test_one_class_is_told() -> None:
    with pytest.raises(DataError, match="all examples are of one class"):
        separation.score(["a", "a"], np.array([1.0, 2.0]))


@pytest.mark.parametrize(
    ("classes", "values", "message"),
    [
        (["a", "b"], [1.0, float("nan")], "values: nan in row 1"),
        (["a", "b"], [1.0, float("inf")], "values: inf in row 1"),
        ([], [], "values"),
    ],
)
def test_values_that_are_none_are_told_of(
    classes: list[str], values: list[float], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        separation.score(classes, np.array(values))


def test_the_interval_lies_around_the_figure() -> None:
    draw = np.random.default_rng(4)
    classes = draw.choice(["a", "b"], size=80).tolist()
    values = draw.standard_normal(80) + np.array([name == "b" for name in classes])
    found = separation.score_intervals(classes, values, Bootstrap(0, 50))["eta_squared"]
    assert found.value == pytest.approx(separation.score(classes, values))
    assert found.low < found.value < found.high
