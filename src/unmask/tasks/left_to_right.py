"""Predicting the next token from those before it: the control to masked language modelling.

For encoders with a causal context alone, and for one experiment (docs/objectives.md).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from unmask.batch import IGNORED, Batch
from unmask.tasks.task import Outputs, Term

_TERM = "next"


def next_tokens(batch: Batch, _epochs: NDArray[np.int64], _progress: float = 0.0) -> Batch:
    """The batch with `labels["next"]`: each token's successor in its sequence, none for the last.

    >>> from unmask.batch import pack
    >>> batch = pack([[2, 7, 3], [2, 3]])
    >>> next_tokens(batch, np.zeros(2, dtype=np.int64)).labels["next"].tolist()
    [7, 3, -100, 3, -100]
    """
    labels = torch.roll(batch.input_ids, -1)
    lengths = torch.tensor(batch.lengths, device=labels.device)
    labels[torch.cumsum(lengths, 0) - 1] = IGNORED
    return replace(batch, labels={**batch.labels, _TERM: labels})


class LeftToRight:
    """One term `next`: cross-entropy of every token but the first, given those before it."""

    name = "left_to_right"

    def rows(self, batch: Batch) -> Tensor:
        """(M,) every position that has a successor."""
        return (batch.labels[_TERM] != IGNORED).nonzero().squeeze(1)

    def outputs(self, heads: nn.ModuleDict, hidden: Tensor, _batch: Batch) -> Outputs:
        """`next` (M, V)."""
        return {_TERM: heads["mlm"](hidden)}

    def counts(self, batch: Batch) -> dict[str, float]:
        """Tokens with a successor."""
        return {_TERM: float((batch.labels[_TERM] != IGNORED).sum())}

    def loss(self, outputs: Outputs, batch: Batch) -> list[Term]:
        """The summed cross-entropy in nats."""
        logits = outputs[_TERM]
        wide = logits if logits.dtype == torch.float64 else logits.float()
        labels = batch.labels[_TERM][self.rows(batch)]
        return [Term(_TERM, 1.0, functional.cross_entropy(wide, labels, reduction="sum"))]

    def hits(self, outputs: Outputs, batch: Batch) -> dict[str, int]:
        """How often the highest score is the successor's."""
        labels = batch.labels[_TERM][self.rows(batch)]
        return {_TERM: int((outputs[_TERM].argmax(dim=-1) == labels).sum())}

    def stored(self) -> dict[str, Any]:
        """The name."""
        return {"name": self.name}
