"""What a frozen encoder says of examples: vectors for a linear probe, with no weight trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unmask.batch import Batch
from unmask.checkpoint.bundle import Bundle
from unmask.data.windows import Window
from unmask.nn import pooling
from unmask.recipe.baselines.linear import SEED, Features
from unmask.tasks.predicting import scored
from unmask.tasks.task import LabelledTask, Outputs
from unmask.text.tokenizer import Tokenizer

MOST_SEQUENCES = 10_000
"""Of the training examples, so that a probe costs little beside fine-tuning."""
MOST_WORDS = 40_000
"""The same where words are what is told apart."""
STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Tried on standardised vectors."""

_VECTORS = "vectors"
Floats = NDArray[np.float32]
Join = Callable[[Any, Sequence[Floats]], Floats]
"""An example and what its windows gave to its (n, D) vectors."""


@dataclass(frozen=True)
class Means:
    """The mean of each sequence's last hidden states, in place of a task's scores."""

    task: LabelledTask[Any, Any]
    join: Join

    def encode(
        self, examples: Sequence[Any], tokenizer: Tokenizer, longest: int
    ) -> list[list[Window]]:
        """As the task does."""
        return self.task.encode(examples, tokenizer, longest)

    def rows(self, _batch: Batch) -> Tensor | None:
        """All."""
        return None

    def outputs(self, _heads: nn.ModuleDict, hidden: Tensor, batch: Batch) -> Outputs:
        """(B, D) vectors, whatever heads there are."""
        return {_VECTORS: pooling.mean(hidden, batch.lengths)}

    def results(self, outputs: Outputs, _batch: Batch, /) -> list[Floats]:
        """(1, D) of each sequence."""
        return list(outputs[_VECTORS].float().cpu().numpy()[:, None])

    def merge(self, example: Any, _windows: Sequence[Window], results: Sequence[Floats], /) -> Any:
        """The example's vectors."""
        return self.join(example, results)


class Rows(Means):
    """The last hidden states that the task itself reads, several of each sequence."""

    def rows(self, batch: Batch) -> Tensor | None:
        """As the task does."""
        return self.task.rows(batch)

    def outputs(self, _heads: nn.ModuleDict, hidden: Tensor, _batch: Batch) -> Outputs:
        """(M, D) at the rows."""
        return {_VECTORS: hidden}

    def results(self, outputs: Outputs, batch: Batch, /) -> list[Floats]:
        """(m, D) of each sequence."""
        rows = self.rows(batch)
        assert rows is not None
        ends = torch.tensor(batch.lengths, device=rows.device).cumsum(0)
        cuts = torch.searchsorted(rows, ends[:-1]).tolist()
        return np.split(outputs[_VECTORS].float().cpu().numpy(), cuts)


def drawn(examples: Sequence[Any], size: Callable[[Any], int], most: int) -> list[Any]:
    """Training examples in random order, until they have `most` parts; at least one."""
    chosen: list[Any] = []
    total = 0
    for i in np.random.default_rng(SEED).permutation(len(examples)).tolist():
        total += size(examples[i])
        if chosen and total > most:
            break
        chosen.append(examples[i])
    return chosen


def standardised(
    reader: Means, train: Sequence[Any], measured: Sequence[Any], base: Bundle
) -> tuple[Features, Features]:
    """(n, D) and (m, D) vectors of all examples, with mean 0 and variance 1 in training.

    `base` is the pretrained model; its heads are not asked.
    """
    first = np.concatenate(_read(reader, train, base))
    other = np.concatenate(_read(reader, measured, base))
    mean, spread = first.mean(axis=0), first.std(axis=0)
    spread[spread == 0] = 1.0
    return (first - mean) / spread, (other - mean) / spread


def _read(reader: Means, examples: Sequence[Any], base: Bundle) -> list[Floats]:
    task: Any = reader  # has of a task what reading takes
    return scored(base.model, task, examples, base.require_tokenizer(), base.max_length)
