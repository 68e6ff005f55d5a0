"""Rankings over resamples are scikit-learn's with sample weights."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

from unmask.tasks.metrics.counts import matthews, mean_over, quotient
from unmask.tasks.metrics.ranking import ranking


@pytest.mark.parametrize("decimals", [1, 6])
def test_weights_repeat_examples(decimals: int) -> None:
    draw = np.random.default_rng(decimals)
    positive = draw.random(30) < 0.3
    scores = draw.random(30).round(decimals)  # with one decimal most of them tie
    weights = draw.integers(0, 4, size=(20, 30)).astype(float)
    found = ranking(positive, scores, weights)
    for i, row in enumerate(weights):
        precision = average_precision_score(positive, scores, sample_weight=row)
        assert found["average_precision"][i] == pytest.approx(precision)
        area = roc_auc_score(positive, scores, sample_weight=row)
        assert found["roc_auc"][i] == pytest.approx(area)


def test_without_both_kinds_there_is_no_ranking() -> None:
    weights = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    found = ranking(np.array([True, False]), np.array([0.9, 0.1]), weights)
    assert found["roc_auc"][0] == found["average_precision"][0] == 1
    assert np.isnan(found["roc_auc"][1:]).all()
    assert np.isnan(found["average_precision"][1:]).all()


def test_the_correlation_of_many_classes_comes_from_margins() -> None:
    draw = np.random.default_rng(0)
    labels, predicted = draw.integers(5, size=(2, 200))
    gold, given = (side[:, None] == np.arange(5) for side in (labels, predicted))
    margins = [np.sum(part, axis=0).astype(float) for part in (gold & given, given, gold)]
    assert matthews(*margins) == pytest.approx(matthews_corrcoef(labels, predicted))


def test_nothing_over_nothing_is_nothing() -> None:
    assert quotient(np.array([1.0, 0.0, 6.0]), np.array([0.0, 0.0, 4.0])).tolist() == [0, 0, 1.5]
    assert mean_over(
        np.array([[1.0, 3.0]] * 2), np.array([[True, False], [False] * 2])
    ).tolist() == [1, 0]
