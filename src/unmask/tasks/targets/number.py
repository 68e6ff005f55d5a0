"""A number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unmask.data.labelled.examples import TextExample
from unmask.errors import DataError
from unmask.tasks import losses
from unmask.tasks.metrics import regression
from unmask.tasks.metrics.resampling import Bootstrap, Interval
from unmask.tasks.targets.protocol import Floats
from unmask.tasks.task import Prediction


@dataclass(frozen=True)
class Number:
    """A number, in the unit of the training labels."""

    problem_type = "regression"
    metric = "spearman"

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for the one output."""
        return ("value",)

    def row(self, example: TextExample) -> NDArray[np.generic]:
        """(1,) the number."""
        if not isinstance(example.label, float):
            raise DataError(
                f"{example.place}: label {example.label!r} is no number, which regression needs."
            )
        return np.array([example.label], dtype=np.float32)

    def count(self, rows: Tensor) -> float:
        """Examples."""
        return float(rows.numel())

    def loss(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Squared error."""
        return losses.squared_error(logits.squeeze(-1), rows)

    def decode(self, logits: Floats) -> Prediction:
        """The `value`."""
        return {"value": float(logits[0])}

    def score(self, rows: NDArray[np.generic], logits: Floats) -> dict[str, float]:
        """See `metrics.regression`."""
        return regression.scores(rows, logits[:, 0])

    def intervals(
        self, rows: NDArray[np.generic], logits: Floats, bootstrap: Bootstrap
    ) -> dict[str, Interval]:
        """See `metrics.regression`."""
        return regression.score_intervals(rows, logits[:, 0], bootstrap)

    def tuned(self, _rows: NDArray[np.generic], _logits: Floats, /) -> Self:
        """As it is."""
        return self

    def stored(self) -> dict[str, Any]:
        """Nothing."""
        return {}
