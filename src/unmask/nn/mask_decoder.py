"""Where a masked language model reads: the encoder's end, or its last block, asked twice."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from unmask.batch import Batch
from unmask.nn.encoder import Encoder

_RUNS = 2
"""Of the last block; microsoft/DeBERTa, `apps/models/masked_language_model.py`."""


class FinalStates(nn.Module):
    """The encoder's final hidden states, as most families have it."""

    def forward(self, encoder: Encoder, batch: Batch, rows: Tensor | None) -> Tensor:
        """(N, D), or (M, D) for `rows`: (M,) int64 ascending positions."""
        final: Tensor = encoder(batch, rows)
        return final


class EnhancedMaskDecoder(nn.Module):
    """Absolute positions come in only where a masked token is guessed.

    He et al. 2021, arXiv 2006.03654, section 3.3; microsoft/DeBERTa,
    `apps/models/masked_language_model.py`, `EnhancedMaskDecoder.emd_context_layer`. The states
    before the last block are its keys and values in both of two runs. Its queries are these states
    plus their positions' vectors, then what the first run gave. Rows that nobody reads need
    neither run.
    """

    def __init__(self, max_positions: int, hidden_size: int) -> None:
        super().__init__()
        self.positions = nn.Embedding(max_positions, hidden_size)

    def forward(self, encoder: Encoder, batch: Batch, rows: Tensor | None) -> Tensor:
        """(N, D), or (M, D) for `rows`: (M,) int64 ascending positions."""
        if rows is None:
            rows = torch.arange(batch.num_tokens, device=batch.input_ids.device)
        final: Tensor = encoder(batch, rows, partial(self._ask_again, batch.position_ids))
        return final

    def _ask_again(
        self,
        position_ids: Tensor,
        last: Any,
        hidden: Tensor,
        context: Any,
        asking: Tensor,
    ) -> Tensor:
        """An `Ending`, by the (N,) positions of the batch."""
        positions = self.positions(position_ids.index_select(0, asking))
        queries: Tensor = hidden.index_select(0, asking) + positions  # (M, D)
        for _ in range(_RUNS):
            queries = last(hidden, context, queries=queries)
        return queries
