"""What a task is: the part of training that knows what is predicted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from unmask.batch import Batch
from unmask.nn.encoder import Encoder

Outputs = Mapping[str, Tensor]
"""Scores by loss term, straight from the heads."""


class Term(NamedTuple):
    """One summand of a loss: `weight * total / count`, its count known before any forward."""

    name: str
    weight: float
    total: Tensor
    """() the sum over the examples of this batch; never a mean."""


class Task(Protocol):
    """Everything the training loop asks of a task."""

    name: str

    def rows(self, batch: Batch) -> Tensor | None:
        """(M,) int64 ascending positions whose final hidden states are read; None for all."""
        ...

    def outputs(self, heads: nn.ModuleDict, hidden: Tensor, batch: Batch) -> Outputs:
        """Scores from the hidden states at `rows(batch)`."""
        ...

    def counts(self, batch: Batch) -> dict[str, int]:
        """The denominator of each term, from the labels alone."""
        ...

    def loss(self, outputs: Outputs, batch: Batch) -> list[Term]:
        """Sums, one a term, in the order of `counts`."""
        ...

    def hits(self, outputs: Outputs, batch: Batch) -> dict[str, int]:
        """Right answers of each term, out of `counts`."""
        ...


class Model(nn.Module):
    """An encoder and the heads that stand on it."""

    def __init__(self, encoder: Encoder, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleDict(heads)

    def forward(self, batch: Batch, task: Task) -> Outputs:
        """The scores that `task` learns from or decodes."""
        return task.outputs(self.heads, self.encoder(batch, task.rows(batch)), batch)
