"""What the three kinds of targets have in common."""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unmask.data.labelled.examples import TextExample
from unmask.tasks.metrics.resampling import Bootstrap, Interval
from unmask.tasks.task import Prediction

Floats = NDArray[np.floating[Any]]


class Targets(Protocol):
    """How the labels of one kind become numbers, a loss, an answer and scores."""

    @property
    def problem_type(self) -> str:
        """Hugging Face's word for it."""

    @property
    def metric(self) -> str:
        """The score by which models are chosen."""

    @property
    def labels(self) -> tuple[str, ...]:
        """By output."""

    def row(self, example: TextExample) -> NDArray[np.generic]:
        """(1,) or (1, K) what the example's label is as numbers.

        Raises:
            DataError: A label that training did not have, or none.
        """

    def count(self, rows: Tensor) -> float:
        """What the loss of (B, ...) rows is divided by."""

    def loss(self, logits: Tensor, rows: Tensor) -> Tensor:
        """() summed over (B, K) logits."""

    def decode(self, logits: Floats) -> Prediction:
        """The answer that (K,) logits give."""

    def score(self, rows: NDArray[np.generic], logits: Floats) -> dict[str, float]:
        """The measures of (B, K) logits."""

    def intervals(
        self, rows: NDArray[np.generic], logits: Floats, bootstrap: Bootstrap
    ) -> dict[str, Interval]:
        """The same with confidence intervals."""

    def tuned(self, rows: NDArray[np.generic], logits: Floats) -> Self:
        """With what is fitted on validation data."""

    def stored(self) -> dict[str, Any]:
        """All fields, as JSON has them."""
