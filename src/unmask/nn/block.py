"""One layer of the encoder."""

from __future__ import annotations

from torch import Tensor, nn

from unmask.nn.attention import SelfAttention
from unmask.nn.context import Context
from unmask.nn.dropout import Dropout
from unmask.nn.feedforward import FeedForward, GatedFeedForward
from unmask.nn.rotary import RotaryContexts
from unmask.nn.rotary_attention import RotaryAttention


class PostNormBlock(nn.Module):
    """Attention, then feed-forward, each added to its input and normalised afterwards.

    Vaswani et al. 2017, section 3.1; BERT's form.
    """

    def __init__(
        self,
        attention: SelfAttention,
        attention_norm: nn.Module,
        feedforward: FeedForward,
        feedforward_norm: nn.Module,
        dropout_rate: float,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.attention_norm = attention_norm
        self.feedforward = feedforward
        self.feedforward_norm = feedforward_norm
        self.dropout = Dropout(dropout_rate)

    def attention_weights(self, x: Tensor, context: Context) -> list[Tensor]:
        """What the block's attention looks at, given its input; see `probabilities` there."""
        return self.attention.probabilities(x, context)

    def forward(self, x: Tensor, context: Context, rows: Tensor | None = None) -> Tensor:
        """(N, D) to (N, D), or to (M, D) for `rows` alone, which costs only their share.

        Only attention mixes positions, so rows that nobody reads need no query, no output
        projection and no feed-forward; the rows that are read come out the same.
        """
        attended = self.dropout(self.attention(x, context, rows))
        if rows is not None:
            x = x.index_select(0, rows)  # (M, D)
        return self._added(x, attended)

    def _added(self, x: Tensor, attended: Tensor) -> Tensor:
        """What attention found added to the states that looked, then what feed-forward gives."""
        x = self.attention_norm(x + attended)
        normed: Tensor = self.feedforward_norm(x + self.dropout(self.feedforward(x)))
        return normed


class PreNormBlock(nn.Module):
    """Attention, then feed-forward, each of the normalised input and added to the plain one.

    Xiong et al. 2020, arXiv 2002.04745, figure 1; ModernBERT's form.
    """

    def __init__(
        self,
        attention: RotaryAttention,
        attention_norm: nn.Module,
        feedforward: GatedFeedForward,
        feedforward_norm: nn.Module,
        dropout_rate: float,
    ) -> None:
        """What attention gives is dropped out at `dropout_rate`."""
        super().__init__()
        self.attention = attention
        self.attention_norm = attention_norm
        self.feedforward = feedforward
        self.feedforward_norm = feedforward_norm
        self.dropout = Dropout(dropout_rate)

    def attention_weights(self, x: Tensor, context: RotaryContexts) -> list[Tensor]:
        """What the block's attention looks at, given the block's input."""
        return self.attention.probabilities(self.attention_norm(x), context)

    def forward(self, x: Tensor, context: RotaryContexts, rows: Tensor | None = None) -> Tensor:
        """(N, D) to (N, D), or to (M, D) for `rows` alone; see `PostNormBlock.forward`."""
        attended = self.dropout(self.attention(self.attention_norm(x), context, rows))
        if rows is not None:
            x = x.index_select(0, rows)  # (M, D)
        x = x + attended
        grown: Tensor = x + self.feedforward(self.feedforward_norm(x))
        return grown
