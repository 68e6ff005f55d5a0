"""One label of several."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from scipy import special
from torch import Tensor

from unmask.data.labelled.examples import TextExample
from unmask.tasks import losses
from unmask.tasks.metrics import calibration, classification
from unmask.tasks.metrics.resampling import Bootstrap, Interval
from unmask.tasks.targets.labels import named, number_of
from unmask.tasks.targets.protocol import Floats
from unmask.tasks.task import Prediction


@dataclass(frozen=True)
class OneLabel:
    """One label of K."""

    labels: tuple[str, ...]
    class_weights: tuple[float, ...] | None = None
    """(K,) what an example of each class counts in the loss; None where all count the same."""
    label_smoothing: float = 0.0
    focal_gamma: float = 0.0
    temperature: Annotated[float, Field(gt=0.0, le=1e6)] = 1.0
    """What logits are divided by, so that probabilities mean what they say (Guo et al. 2017)."""

    problem_type = "single_label_classification"
    metric = "accuracy"

    def row(self, example: TextExample) -> NDArray[np.generic]:
        """(1,) the number of its class."""
        return np.array([number_of(self.labels, str(named(example)), example.place)])

    def count(self, rows: Tensor) -> float:
        """Examples, or the sum of their weights."""
        return losses.weight_of(rows, self._weights())

    def loss(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Cross-entropy."""
        return losses.cross_entropy(
            logits,
            rows,
            class_weights=self._weights(),
            label_smoothing=self.label_smoothing,
            focal_gamma=self.focal_gamma,
        )

    def decode(self, logits: Floats) -> Prediction:
        """`label`, its `score`, and the `scores` of all."""
        found = self._probabilities(logits).tolist()
        best = int(np.argmax(found))
        scores = dict(zip(self.labels, found, strict=True))
        return {"label": self.labels[best], "score": found[best], "scores": scores}

    def score(self, rows: NDArray[np.generic], logits: Floats) -> dict[str, float]:
        """See `metrics.classification`."""
        return classification.scores(rows, self._probabilities(logits), self.labels)

    def intervals(
        self, rows: NDArray[np.generic], logits: Floats, bootstrap: Bootstrap
    ) -> dict[str, Interval]:
        """See `metrics.classification`."""
        probabilities = self._probabilities(logits)
        return classification.score_intervals(rows, probabilities, self.labels, bootstrap)

    def tuned(self, rows: NDArray[np.generic], logits: Floats) -> Self:
        """With a temperature."""
        return replace(self, temperature=calibration.fit_temperature(logits, rows))

    def stored(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def _probabilities(self, logits: Floats) -> Floats:
        found: Floats = special.softmax(np.asarray(logits, np.float64) / self.temperature, axis=-1)
        return found

    def _weights(self) -> Tensor | None:
        return None if self.class_weights is None else torch.tensor(self.class_weights)
