from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge

from unmask.recipe.baselines.linear import AnyOf, OneOf, Value, choose


def drawn(num_rows: int, num_classes: int, noise: float = 1.0) -> tuple[Any, Any]:
    """Classes that the first features tell, more or less."""
    generator = np.random.default_rng(0)
    targets = generator.integers(num_classes, size=num_rows)
    features = noise * generator.normal(size=(num_rows, num_classes + 3))
    features[np.arange(num_rows), targets] += 1.0
    return features, targets


@pytest.mark.parametrize("num_classes", [2, 4])
@pytest.mark.parametrize("made", [np.asarray, sparse.csr_matrix])
def test_one_of_several_is_scikit_learns_logistic_regression(made: Any, num_classes: int) -> None:
    features, targets = drawn(90, num_classes)

    found = OneOf(num_classes).fit(made(features), targets, 0.5)(made(features))

    model = LogisticRegression(C=0.5, tol=1e-8, max_iter=1000).fit(features, targets)
    # Solvers stop near the optimum, not at it.
    np.testing.assert_allclose(found, model.predict_log_proba(features), atol=5e-3)


def test_a_class_without_examples_is_never_answered_and_stays_finite() -> None:
    features, targets = drawn(60, 3)

    found = OneOf(5).fit(features, targets, 1.0)(features)

    assert np.isfinite(found).all()
    assert (found[:, 3:] < found[:, :3].min()).all()
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1.0, atol=1e-6)


def test_examples_of_one_class_only_give_that_class() -> None:
    found = OneOf(3).fit(np.eye(4), np.full(4, 1), 1.0)(np.eye(4))

    assert found.argmax(axis=1).tolist() == [1] * 4
    assert np.isfinite(found).all()


def test_certainty_beyond_single_precision_is_still_a_number() -> None:
    features = np.array([[-1e4], [1e4]] * 4, np.float32)

    found = OneOf(2).fit(features, np.array([0, 1] * 4), 100.0)(features)

    assert np.isfinite(found).all()
    assert found.argmax(axis=1).tolist() == [0, 1] * 4


def test_each_of_several_labels_has_its_own_odds() -> None:
    features, targets = drawn(80, 2)
    both = np.stack((targets, np.zeros(80)), axis=1).astype(np.float32)

    found = AnyOf().fit(features, both, 1.0)(features)

    alone = OneOf(2).fit(features, targets, 1.0)(features)
    np.testing.assert_allclose(found[:, 0], alone[:, 1] - alone[:, 0], atol=1e-6)
    assert (found[:, 1] < -10).all()


def test_a_number_is_scikit_learns_ridge_regression() -> None:
    features, targets = drawn(50, 4)

    found = Value().fit(features, targets, 0.1)(features)

    expected = Ridge(alpha=10.0).fit(features, targets).predict(features)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-10)


@pytest.mark.parametrize(
    ("learner", "targets", "scores", "expected"),
    [
        (OneOf(2), np.array([0, 1]), np.log([[0.25, 0.75], [0.5, 0.5]]), np.log(8) / 2),
        (AnyOf(), np.array([[1.0, 0.0]]), np.array([[0.0, 0.0]]), np.log(2)),
        (Value(), np.array([1.0, 2.0]), np.array([[2.0], [4.0]]), 2.5),
    ],
)
def test_what_is_lost_is_a_mean(learner: Any, targets: Any, scores: Any, expected: float) -> None:
    assert learner.loss(targets, scores) == pytest.approx(expected)


def test_noise_is_held_down_and_signal_is_let_through() -> None:
    clear, targets = drawn(300, 2, noise=0.05)
    noise = np.random.default_rng(1).normal(size=(300, 60))

    assert choose(OneOf(2), noise, targets, (1e-4, 1.0, 100.0)).strength == 1e-4
    assert choose(OneOf(2), clear, targets, (1e-4, 1.0, 100.0)).strength == 100.0


def test_no_example_is_scored_by_a_model_that_learned_from_it() -> None:
    features, targets = np.eye(60), np.arange(60) % 2  # which can only be known by heart

    choice = choose(OneOf(2), features, targets, (1.0, 100.0))

    assert sorted(choice.rows.tolist()) == list(range(60))
    assert len(np.unique(choice.scores.round(8), axis=0)) <= 3  # what each fold's rest is like


def test_at_most_five_thousand_examples_take_part() -> None:
    choice = choose(Value(), np.ones((5100, 1)), np.zeros(5100), (0.1, 1.0))

    assert len(choice.rows) == len(set(choice.rows.tolist())) == 5000


def test_with_too_few_examples_the_middle_is_taken() -> None:
    choice = choose(OneOf(2), np.eye(5), np.array([0, 1, 0, 1, 0]), (0.1, 1.0, 10.0))

    assert choice.strength == 1.0
    assert len(choice.rows) == 0
