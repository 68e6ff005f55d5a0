"""The classifier of texts and pairs of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import RegressorTags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from unmask.recipe.estimators.fitting import FineTuningEstimator
from unmask.recipe.estimators.inputs import (
    kind_of,
    labels_of,
    require_targets,
    rows_of,
    text_examples,
)


def _has_classes(estimator: TextClassifier) -> bool:
    return estimator.kind != "regression"


class TextClassifier(ClassifierMixin, FineTuningEstimator):  # type: ignore[misc]
    """Fine-tunes a pretrained encoder to tell the labels of texts, by scikit-learn's rules.

    `X` are texts, or pairs `(text, text_pair)`. `y` are labels (text or whole numbers), lists of
    labels, columns of 0 and 1, or with `kind="regression"` numbers. Part of them is held out to
    choose the best weights by, and to fit temperature and thresholds. For scikit-learn's own cross-
    validation several labels must be columns of 0 and 1.

    >>> classifier = TextClassifier("model-folder", epochs=3)
    >>> classifier.fit(texts, labels).predict(["How nice!"])  # doctest: +SKIP
    """

    _task = "classification"

    classes_: NDArray[Any]
    """(K,) the labels, ascending; empty for regression."""

    def __init__(
        self,
        model: str,
        *,
        kind: Literal["auto", "single", "multi", "regression"] = "auto",
        epochs: float = 3.0,
        learning_rate: float | None = None,
        batch_size: int = 16,
        max_length: int | None = None,
        freeze: str | None = None,
        validation_fraction: float = 0.1,
        seed: int = 0,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        recipe: Mapping[str, Any] | None = None,
        verbose: bool = False,
    ) -> None:
        """`model` is a folder or a hub id; the rest are settings of `recipe.config.Finetune`.

        `kind` auto finds out from `y` whether it is one label or several. `learning_rate` without a
        value depends on the size of the model. `recipe` are further settings in tables, such as
        `{"optim": {"layer_decay": 0.9}, "settings": {"pooling": "mean"}}`. `verbose` tells how it
        goes, on stderr.
        """
        self.model = model
        self.kind = kind
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_length = max_length
        self.freeze = freeze
        self.validation_fraction = validation_fraction
        self.seed = seed
        self.device = device
        self.recipe = recipe
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Learns the labels of n texts; what it learned before is forgotten.

        Raises:
            UsageError: Parameters that do not fit.
            DataError: Texts or labels that cannot be learned, or a model that cannot be used.
        """
        rows = rows_of(X)
        require_targets(type(self).__name__, rows, y)
        kind = kind_of(y) if self.kind == "auto" else self.kind
        labels, classes, in_columns = labels_of(y, kind)
        self._fit_examples(text_examples(rows, labels), {"kind": kind})
        self.classes_, self._kind, self._in_columns = classes, kind, in_columns
        return self

    def predict(self, X: Any) -> Any:
        """(n,) labels or numbers; of several labels a list for each text, or (n, K) of 0 and 1."""
        check_is_fitted(self)
        scores = self._raw_scores(text_examples(X))
        if self._kind == "single":
            return self.classes_[self._probabilities(scores).argmax(axis=1)]
        found = [self._fitted_task.decode(None, one) for one in scores]
        if self._kind == "regression":
            return np.array([answer["value"] for answer in found], dtype=np.float64)
        given = np.array([[name in answer["labels"] for name in self._names] for answer in found])
        given = given.reshape(len(found), len(self.classes_))
        if self._in_columns:
            return given.astype(np.int64)
        return [self.classes_[row].tolist() for row in given]

    @available_if(_has_classes)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(n, K) probabilities in the order of `classes_`; of several labels, each by itself."""
        check_is_fitted(self)
        return self._probabilities(self._raw_scores(text_examples(X)))

    def score(self, X: Any, y: Any) -> float:
        """Accuracy, of several labels that of the whole set, of numbers R², as scikit-learn has it.

        `unmask evaluate` gives all measures.
        """
        found = self.predict(X)
        if self._kind == "regression":
            return float(r2_score(y, found))
        if self._kind == "multi" and not self._in_columns:
            rows = zip(y, found, strict=True)
            return float(np.mean([set(wanted) == set(given) for wanted, given in rows]))
        return float(accuracy_score(y, found))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.target_tags.required = True
        tags.classifier_tags.multi_label = True
        if self.kind == "regression":
            tags.estimator_type, tags.classifier_tags = "regressor", None
            tags.regressor_tags = RegressorTags()
        return tags

    @property
    def _names(self) -> list[str]:
        return [str(label) for label in self.classes_.tolist()]

    def _probabilities(self, scores: list[Any]) -> NDArray[np.float64]:
        found = [self._fitted_task.decode(None, one)["scores"] for one in scores]
        # A column of 0 and 1 that is never 1 is no label of the model's.
        table = [[answer.get(name, 0.0) for name in self._names] for answer in found]
        return np.array(table, dtype=np.float64).reshape(len(found), len(self.classes_))

    def _stored_classes(self) -> Any:
        return {"labels": self.classes_.tolist(), "in_columns": self._in_columns}

    def _restore_classes(self, stored: Any) -> None:
        task: Any = self._fitted_task
        self.kind = self._kind = task.config.kind
        labels = [] if self._kind == "regression" else list(task.labels)
        stored = stored or {"labels": labels, "in_columns": False}
        self.classes_ = np.array(stored["labels"])
        self._in_columns = bool(stored["in_columns"])
