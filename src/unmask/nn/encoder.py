"""The encoder: one class for every family, which differ in the bricks it is given."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from unmask.batch import Batch


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

    def forward(self, batch: Batch, rows: Tensor | None = None) -> Tensor:
        """(N, D) final hidden states, or (M, D) for `rows`: (M,) int64 ascending positions.

        The rows that a task reads are worth naming: the last block then skips all others.
        """
        hidden = self.embedding(batch.input_ids, batch.position_ids, batch.token_type_ids)
        context = self.context(batch.lengths, batch.position_ids)
        *earlier, last = self.order
        for index in earlier:
            hidden = self.blocks[index](hidden, context)
        if rows is not None:
            context = context.at(rows)
        final: Tensor = self.final_norm(self.blocks[last](hidden, context, rows))
        return final
