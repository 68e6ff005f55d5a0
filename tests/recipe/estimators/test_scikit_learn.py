"""scikit-learn's own checks, for which rows of numbers are written out as texts.

No check is expected to fail. Some do not apply: those of sample weights, which `fit` does not take;
of `decision_function`, which there is not; of pandas and of array API objects where these are not
installed. What a classifier is worth (`poor_score`) is not asked of random weights and one epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from unmask import TextClassifier, TokenTagger
from unmask.recipe.estimators.fitting import FineTuningEstimator

NEEDS_NO_DATA = (
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_set_params",
    "check_valid_tag_types",
)
"""All other checks feed rows of numbers and one target a row, which are no words and tags."""


class NumbersAsTexts(TextClassifier):
    """Writes numbers out, and leaves it to scikit-learn's own validation what numbers are."""

    def fit(self, X: Any, y: Any) -> NumbersAsTexts:
        return super().fit(written(validate_data(self, X)), y)

    def predict(self, X: Any) -> Any:
        check_is_fitted(self)
        return super().predict(written(validate_data(self, X, reset=False)))

    @available_if(lambda self: self.kind != "regression")
    def predict_proba(self, X: Any) -> Any:
        check_is_fitted(self)
        return super().predict_proba(written(validate_data(self, X, reset=False)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = tags.input_tags.string = False
        (tags.classifier_tags or tags.regressor_tags).poor_score = True
        return tags


def written(rows: np.ndarray) -> list[str]:
    return [" ".join(f"{value:.1f}" for value in row) for row in rows]


SHORT = NumbersAsTexts(
    "comes from a fixture",
    epochs=1,
    batch_size=64,
    max_length=16,
    recipe={"settings": {"stride": 0}},
)


@estimator_checks.parametrize_with_checks([SHORT, clone(SHORT).set_params(kind="regression")])
def test_texts_pass_scikit_learns_checks(
    estimator: NumbersAsTexts, check: Callable[[Any], None], tiny_encoder: Path
) -> None:
    check(estimator.set_params(model=str(tiny_encoder)))


@pytest.mark.parametrize("name", NEEDS_NO_DATA)
@pytest.mark.parametrize("estimator", [TextClassifier("a"), TokenTagger("a")])
def test_estimators_themselves_pass_the_checks_without_data(name: str, estimator: Any) -> None:
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)


def test_tags_say_what_goes_in() -> None:
    classifier, tagger = get_tags(TextClassifier("a")), get_tags(TokenTagger("a"))
    regressor = get_tags(TextClassifier("a", kind="regression"))

    assert (classifier.estimator_type, regressor.estimator_type) == ("classifier", "regressor")
    assert classifier.input_tags.string
    assert tagger.input_tags.string
    assert not classifier.input_tags.two_d_array
    assert tagger.estimator_type is None


@pytest.mark.parametrize("estimator", [TextClassifier("a"), TokenTagger("a")])
def test_nothing_is_predicted_before_fitting(estimator: Any) -> None:
    with pytest.raises(NotFittedError):
        estimator.predict(["a text"])
    with pytest.raises(NotFittedError):
        estimator.save("nowhere")


def test_an_estimator_must_say_what_its_classes_are() -> None:
    class Silent(FineTuningEstimator):
        _task = "classification"

    with pytest.raises(TypeError, match="_restore_classes"):
        Silent()


def test_pipeline_cross_validation_and_grid_search(
    texts: list[str], labels: list[str], tiny_encoder: Path
) -> None:
    classifier = TextClassifier(str(tiny_encoder), epochs=10, batch_size=8, learning_rate=1e-2)
    pipeline = make_pipeline(FunctionTransformer(shouted), classifier)

    scores = cross_val_score(pipeline, texts, labels, cv=2)
    grid = {"textclassifier__freeze": ["encoder", None]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(texts, labels)

    assert scores.shape == (2,)
    assert scores.min() > 0.9
    assert search.best_params_ == {"textclassifier__freeze": None}
    assert search.score(texts, labels) > 0.9
    assert search.predict(["a good film"]).tolist() == ["yes"]


def test_tagger_in_cross_validation(texts: list[str], tiny_encoder: Path) -> None:
    words = [text.split() for text in texts]
    tags = [["X" if word == "was" else "O" for word in row] for row in words]
    tagger = TokenTagger(str(tiny_encoder), epochs=4, batch_size=8, learning_rate=1e-2)

    assert cross_val_score(tagger, words, tags, cv=2).min() > 0.9


def shouted(texts: list[str]) -> list[str]:
    return [text.upper() for text in texts]
