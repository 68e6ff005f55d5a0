"""The tagger of words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from unmask.recipe.estimators.fitting import FineTuningEstimator
from unmask.recipe.estimators.inputs import require_targets, rows_of, tagged_examples


class TokenTagger(FineTuningEstimator):
    """Fine-tunes a pretrained encoder to tell a tag for every word, by scikit-learn's rules.

    `X` are lists of words, `y` lists of as many tags: named entities (IOB1, IOB2, BIOES), parts of
    speech. Part of them is held out to choose the best weights by.

    >>> tagger = TokenTagger("model-folder", epochs=3)
    >>> tagger.fit(sentences, tags).predict([["Berlin", "sleeps"]])  # doctest: +SKIP
    """

    _task = "tagging"

    classes_: NDArray[Any]
    """(K,) the tags that it tells apart, `O` first."""

    def __init__(
        self,
        model: str,
        *,
        scheme: Literal["auto", "iob1", "iob2", "bioes", "plain"] = "auto",
        decoding: Literal["argmax", "repair", "viterbi"] = "argmax",
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

        `scheme` and `decoding` are those of `tasks.config.TaggingConfig`, the others as in
        `TextClassifier`.
        """
        self.model = model
        self.scheme = scheme
        self.decoding = decoding
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
        """Learns the tags of n lists of words; what it learned before is forgotten.

        Raises:
            UsageError: Parameters that do not fit.
            DataError: Words or tags that cannot be learned, or a model that cannot be used.
        """
        rows = rows_of(X)
        require_targets(type(self).__name__, rows, y)
        settings = {"scheme": self.scheme, "decoding": self.decoding}
        self._fit_examples(tagged_examples(rows, rows_of(y)), settings)
        self._restore_classes(None)
        return self

    def predict(self, X: Any) -> list[list[str]]:
        """A list of tags for each list of words."""
        check_is_fitted(self)
        examples = tagged_examples(X)
        found = zip(examples, self._raw_scores(examples), strict=True)
        return [list(self._fitted_task.decode(*one)["tags"]) for one in found]

    def predict_proba(self, X: Any) -> list[NDArray[np.float32]]:
        """For each list of W words (W, K) probabilities, in the order of `classes_`."""
        check_is_fitted(self)
        return [np.exp(scores) for scores in self._raw_scores(tagged_examples(X))]

    def score(self, X: Any, y: Any) -> float:
        """F1 of spans as seqeval's default has it; of plain tags the accuracy over words."""
        check_is_fitted(self)
        check_consistent_length(rows_of(X), y)
        examples = tagged_examples(X, rows_of(y))
        task = self._fitted_task
        return float(task.score(examples, self._raw_scores(examples))[task.metric])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.target_tags.required = True
        return tags

    def _restore_classes(self, _stored: Any) -> None:
        self.classes_ = np.array(self._fitted_task.labels)
