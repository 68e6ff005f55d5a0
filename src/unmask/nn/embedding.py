"""From token ids to vectors."""

from __future__ import annotations

from torch import Tensor, nn

from unmask.nn.dropout import Dropout


class TokenPositionSegmentEmbedding(nn.Module):
    """The sum of a token's, its position's and its segment's vector, normalised.

    Devlin et al. 2019, figure 2.
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        max_position_embeddings: int,
        type_vocab_size: int,
        layer_norm_eps: float,
        dropout_rate: float,
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, hidden_size)
        self.positions = nn.Embedding(max_position_embeddings, hidden_size)
        self.segments = nn.Embedding(type_vocab_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size, eps=layer_norm_eps)
        self.dropout = Dropout(dropout_rate)

    def forward(self, input_ids: Tensor, position_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        """Three (N,) int64 to (N, D)."""
        summed = (
            self.tokens(input_ids) + self.segments(token_type_ids) + self.positions(position_ids)
        )  # (N, D)
        embedded: Tensor = self.dropout(self.norm(summed))
        return embedded
