"""The encoder: one class for every family, which differ in the bricks it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from unmask.batch import Batch
from unmask.nn.linear import rounded_up

Ending = Callable[[nn.Module, Tensor, Any, Any], Tensor]
"""From the last block, the states (N, D) before it, the context and the rows (M,) that ask, None
where all do, to the states that the final norm reads."""


def once(last: nn.Module, hidden: Tensor, context: Any, asking: Tensor | None) -> Tensor:
    """The `Ending` of an encoder whose last block is as the others."""
    states: Tensor = last(hidden, context, asking)
    return states


class Encoder(nn.Module):
    """Embeds a packed batch and passes it through the blocks in `order`."""

    def __init__(
        self,
        embedding: nn.Module,
        context: nn.Module,
        blocks: Sequence[nn.Module],
        order: Sequence[int],
        final_norm: nn.Module,
        hidden_size: int,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.context = context
        self.blocks = nn.ModuleList(blocks)
        self.order = tuple(order)
        self.final_norm = final_norm
        self.hidden_size = hidden_size

    def forward(self, batch: Batch, rows: Tensor | None = None, ending: Ending = once) -> Tensor:
        """(N, D) final hidden states, or (M, D) for `rows`: (M,) int64 ascending positions.

        The rows that a task reads are worth naming: the last block then skips all others. Within,
        N and M are rounded up by rows that nothing reads, see `linear.rounded_up`. `ending` is how
        the last block is used.
        """
        hidden, context = self.before_last(batch)
        asking = None
        if rows is not None:
            asking = filled(rows, rounded_up(len(rows)) - len(rows), like=-1)
            context = context.at(asking)
        last = self.blocks[self.order[-1]]
        final: Tensor = self.final_norm(ending(last, hidden, context, asking))
        return final[: batch.num_tokens if rows is None else len(rows)]

    @property
    def tokens(self) -> nn.Embedding:
        """The vectors of the vocabulary, which a head may share."""
        found = self.embedding.tokens
        assert isinstance(found, nn.Embedding)
        return found

    def before_last(self, batch: Batch) -> tuple[Tensor, Any]:
        """What the last block is given: hidden states of all rows, and the context.

        They are rounded up, see `forward`: (N', D), the batch's N rows first.
        """
        lengths = batch.lengths
        if missing := rounded_up(batch.num_tokens) - batch.num_tokens:
            lengths = (*lengths, missing)
        input_ids, position_ids, token_type_ids = (
            filled(ids, missing)
            for ids in (batch.input_ids, batch.position_ids, batch.token_type_ids)
        )
        hidden = self.embedding(input_ids, position_ids, token_type_ids)
        context = self.context(lengths, position_ids)
        for index in self.order[:-1]:
            hidden = self.blocks[index](hidden, context)
        return hidden, context


def filled(ids: Tensor, missing: int, like: int = 0) -> Tensor:
    """(N + missing,): repeats of one of its own, so that no other row of a table is read."""
    return torch.cat((ids, ids[like].expand(missing))) if missing else ids
