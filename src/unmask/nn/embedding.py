"""From token ids to vectors."""

from __future__ import annotations

from torch import Tensor, nn

from unmask.nn.dropout import Dropout
from unmask.nn.linear import Linear


class TokenPositionSegmentEmbedding(nn.Module):
    """The sum of a token's, its position's and its segment's vector, normalised.

    Devlin et al. 2019, figure 2. Families differ in the tables: positions that begin later
    (`LaterPositions`), one segment for all (`OneSegment`), or none of either (`Absent`).
    """

    def __init__(
        self,
        tokens: nn.Embedding,
        positions: nn.Module,
        segments: nn.Module,
        layer_norm_eps: float,
        dropout_rate: float,
    ) -> None:
        super().__init__()
        self.tokens = tokens
        self.positions = positions
        self.segments = segments
        self.norm = nn.LayerNorm(tokens.embedding_dim, eps=layer_norm_eps)
        self.dropout = Dropout(dropout_rate)

    def forward(self, input_ids: Tensor, position_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        """Three (N,) int64 to (N, D)."""
        summed = (
            self.tokens(input_ids) + self.segments(token_type_ids) + self.positions(position_ids)
        )  # (N, D)
        embedded: Tensor = self.dropout(self.norm(summed))
        return embedded


class FactorisedEmbedding(TokenPositionSegmentEmbedding):
    """The same over narrow tables, projected to the hidden width afterwards.

    Lan et al. 2020 (ALBERT), section 3.1.
    """

    def __init__(
        self,
        tokens: nn.Embedding,
        positions: nn.Module,
        segments: nn.Module,
        layer_norm_eps: float,
        dropout_rate: float,
        hidden_size: int,
    ) -> None:
        super().__init__(tokens, positions, segments, layer_norm_eps, dropout_rate)
        self.projection = Linear(tokens.embedding_dim, hidden_size)

    def forward(self, input_ids: Tensor, position_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        """Three (N,) int64 to (N, D), by way of (N, E)."""
        projected: Tensor = self.projection(
            super().forward(input_ids, position_ids, token_type_ids)
        )
        return projected


class ProjectedEmbedding(nn.Module):
    """The same sum, projected to the hidden width before it is normalised (DeBERTa's order)."""

    def __init__(
        self,
        tokens: nn.Embedding,
        positions: nn.Module,
        segments: nn.Module,
        projection: nn.Module,
        norm: nn.Module,
        dropout_rate: float,
    ) -> None:
        super().__init__()
        self.tokens = tokens
        self.positions = positions
        self.segments = segments
        self.projection = projection
        self.norm = norm
        self.dropout = Dropout(dropout_rate)

    def forward(self, input_ids: Tensor, position_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        """Three (N,) int64 to (N, D), by way of (N, E)."""
        summed = (
            self.tokens(input_ids) + self.positions(position_ids) + self.segments(token_type_ids)
        )  # (N, E)
        embedded: Tensor = self.dropout(self.norm(self.projection(summed)))  # (N, D)
        return embedded


class LaterPositions(nn.Embedding):
    """A table whose first rows no position reads (RoBERTa counts from the padding's id + 1)."""

    def __init__(self, num_embeddings: int, embedding_dim: int, first: int) -> None:
        super().__init__(num_embeddings, embedding_dim)
        self.first = first

    def forward(self, position_ids: Tensor) -> Tensor:
        """(N,) int64 from 0 to (N, D)."""
        return super().forward(position_ids + self.first)


class OneSegment(nn.Embedding):
    """A table of which the first row is everyone's."""

    def forward(self, _token_type_ids: Tensor) -> Tensor:
        """(N,) int64 to (D,), whatever the ids."""
        return self.weight[0]


class Absent(nn.Module):
    """In place of a table that a family does not have."""

    def forward(self, ids: Tensor) -> Tensor:
        """() zero, whatever the ids."""
        return ids.new_zeros(())


class TokenEmbedding(nn.Module):
    """A token's vector, normalised, for encoders that learn of positions elsewhere."""

    def __init__(self, tokens: nn.Embedding, norm: nn.Module, dropout_rate: float) -> None:
        super().__init__()
        self.tokens = tokens
        self.norm = norm
        self.dropout = Dropout(dropout_rate)

    def forward(self, input_ids: Tensor, _position_ids: Tensor, _token_type_ids: Tensor) -> Tensor:
        """(N,) int64 to (N, D), whatever the other two."""
        embedded: Tensor = self.dropout(self.norm(self.tokens(input_ids)))
        return embedded
