"""Any of several labels, each by itself."""

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
from unmask.tasks.metrics import calibration, multi_label, thresholds
from unmask.tasks.metrics.resampling import Bootstrap, Interval
from unmask.tasks.targets.labels import names, number_of
from unmask.tasks.targets.protocol import Floats
from unmask.tasks.task import Prediction


@dataclass(frozen=True)
class SeveralLabels:
    """Any of K labels, each by itself."""

    labels: tuple[str, ...]
    positive_weights: tuple[float, ...] | None = None
    """(K,) what a label that is there counts in the loss; None where all decisions count alike."""
    thresholds: tuple[Annotated[float, Field(ge=0.0, le=1.0)], ...] | None = None
    """(K,) probabilities from which a label is given; None means 0.5."""
    temperature: Annotated[float, Field(gt=0.0, le=1e6)] = 1.0
    """What logits are divided by, so that probabilities mean what they say (Guo et al. 2017)."""

    problem_type = "multi_label_classification"
    metric = "f1_macro"

    def row(self, example: TextExample) -> NDArray[np.generic]:
        """(1, K) of 0 and 1."""
        row = np.zeros((1, len(self.labels)), dtype=np.float32)
        for name in names(example):
            row[0, number_of(self.labels, name, example.place)] = 1.0
        return row

    def count(self, rows: Tensor) -> float:
        """Decisions: examples times labels."""
        return float(rows.numel())

    def loss(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Binary cross-entropy."""
        weights = (
            None
            if self.positive_weights is None
            else torch.tensor(self.positive_weights, device=logits.device)
        )
        return losses.binary_cross_entropy(logits, rows, weights)

    def decode(self, logits: Floats) -> Prediction:
        """The `labels` given, and the `scores` of all with the `thresholds` that decided."""
        found, limits = self._probabilities(logits), self._limits()
        given = zip(self.labels, found >= limits, strict=True)
        return {
            "labels": [name for name, is_given in given if is_given],
            "scores": dict(zip(self.labels, found.tolist(), strict=True)),
            "thresholds": dict(zip(self.labels, limits.tolist(), strict=True)),
        }

    def score(self, rows: NDArray[np.generic], logits: Floats) -> dict[str, float]:
        """See `metrics.multi_label`."""
        found = self._probabilities(logits)
        return multi_label.scores(rows, found, self.labels, self._limits())

    def intervals(
        self, rows: NDArray[np.generic], logits: Floats, bootstrap: Bootstrap
    ) -> dict[str, Interval]:
        """See `metrics.multi_label`."""
        found = self._probabilities(logits)
        return multi_label.score_intervals(rows, found, self.labels, self._limits(), bootstrap)

    def tuned(self, rows: NDArray[np.generic], logits: Floats) -> Self:
        """With a temperature, and a threshold for each label's probability under it.

        A label that too few of the examples have, or have not, keeps 0.5; see
        `thresholds.best_thresholds`.
        """
        temperature = calibration.fit_sigmoid_temperature(logits, rows)
        cooled = replace(self, temperature=temperature)
        found = cooled._probabilities(logits)
        return replace(cooled, thresholds=tuple(thresholds.best_thresholds(rows, found)))

    def stored(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def _probabilities(self, logits: Floats) -> Floats:
        found: Floats = special.expit(np.asarray(logits, np.float64) / self.temperature)
        return found

    def _limits(self) -> Floats:
        return np.array(self.thresholds or [0.5] * len(self.labels))
