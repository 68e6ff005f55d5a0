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
from unmask.tasks.losses import widened
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
        """The summed cross-entropy in nats of the tokens that have one before them.

        Other names: causal or autoregressive language modelling loss, next-token loss. Formula:
        -sum over t of log p(token_t+1 | token_1 ... token_t); its mean is the log of perplexity.
        Neighbour: `MaskedLM.loss`, which asks for picked tokens alone and sees both sides of them,
        so that the two losses do not compare.

        Worked example, one sequence whose second token got probability 1/4 and whose third 3/4:

        >>> from unmask.batch import pack
        >>> batch = next_tokens(pack([[0, 0, 1]]), np.zeros(1, dtype=np.int64))
        >>> scores = torch.tensor([[0.25, 0.75], [0.25, 0.75]]).log()
        >>> (term,) = LeftToRight().loss({"next": scores}, batch)
        >>> round(term.total.exp().item(), 4)
        5.3333
        """
        labels = batch.labels[_TERM][self.rows(batch)]
        total = functional.cross_entropy(widened(outputs[_TERM]), labels, reduction="sum")
        return [Term(_TERM, 1.0, total)]

    def hits(self, outputs: Outputs, batch: Batch) -> dict[str, int]:
        """How often the highest score is the successor's."""
        labels = batch.labels[_TERM][self.rows(batch)]
        return {_TERM: int((outputs[_TERM].argmax(dim=-1) == labels).sum())}

    def stored(self) -> dict[str, Any]:
        """The name."""
        return {"name": self.name}
