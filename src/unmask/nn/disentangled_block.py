"""DeBERTa's blocks, which other states than their own can ask, and the convolution of the first."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.nn.block import PostNormBlock
from unmask.nn.context import Context
from unmask.nn.disentangled import DisentangledAttention
from unmask.nn.dropout import Dropout
from unmask.nn.feedforward import FeedForward


class DisentangledBlock(PostNormBlock):
    """A post-norm block of disentangled attention."""

    attention: DisentangledAttention

    def forward(
        self,
        x: Tensor,
        context: Context,
        rows: Tensor | None = None,
        queries: Tensor | None = None,
    ) -> Tensor:
        """See `PostNormBlock.forward`; `queries` (M, D) come in place of the states of the rows.

        They look at `x` (N, D) and are added to what they find. `context` must have been made for
        the rows that ask.
        """
        if queries is None:
            return super().forward(x, context, rows)
        return self._added(queries, self.dropout(self.attention.ask(queries, x, context)))

    def asked_weights(
        self, queries: Tensor, rows: Tensor, x: Tensor, context: Context
    ) -> list[Tensor]:
        """What `queries` look at, which stand at `rows`; see `asked_probabilities` there."""
        return self.attention.asked_probabilities(queries, rows, x, context)


class Convolution(nn.Module):
    """Each token's neighbours within its sequence, added to a block's output and normalised.

    microsoft/DeBERTa, `deberta/bert.py`, `ConvLayer`.
    """

    def __init__(
        self,
        hidden_size: int,
        kernel_size: int,
        num_groups: int,
        activation: Callable[[Tensor], Tensor],
        layer_norm_eps: float,
        dropout_rate: float,
    ) -> None:
        super().__init__()
        self.reach = kernel_size // 2
        self.neighbours = nn.Conv1d(hidden_size, hidden_size, kernel_size, groups=num_groups)
        self.activation = activation
        self.norm = nn.LayerNorm(hidden_size, eps=layer_norm_eps)
        self.dropout = Dropout(dropout_rate)

    def forward(self, x: Tensor, output: Tensor, context: Context, rows: Tensor | None) -> Tensor:
        """The block's input `x` (N, D) and `output` (N, D) to (N, D); (M, D) where it has `rows`.

        Zeros as wide as the kernel reaches are laid around each sequence.
        """
        lengths = torch.tensor(context.lengths, device=x.device)
        owners = torch.repeat_interleave(lengths)  # (N,)
        places = torch.arange(len(x), device=x.device) + self.reach * (owners + 1)
        laid_out = x.new_zeros(len(x) + self.reach * (len(lengths) + 1), x.shape[1])
        laid_out = laid_out.index_copy(0, places, x)
        kernel = self.neighbours
        found = functional.conv1d(
            laid_out.t()[None], kernel.weight, kernel.bias, groups=kernel.groups
        )  # (1, D, ...): as wide as before, less the reach on both sides
        read = places - self.reach
        around = found[0].t().index_select(0, read if rows is None else read[rows])
        normed: Tensor = self.norm(output + self.activation(self.dropout(around)))
        return normed


class ConvolvedBlock(DisentangledBlock):
    """The first block of DeBERTa v2's larger models."""

    def __init__(
        self,
        attention: DisentangledAttention,
        attention_norm: nn.Module,
        feedforward: FeedForward,
        feedforward_norm: nn.Module,
        dropout_rate: float,
        convolution: Convolution,
    ) -> None:
        super().__init__(attention, attention_norm, feedforward, feedforward_norm, dropout_rate)
        self.convolution = convolution

    def forward(
        self,
        x: Tensor,
        context: Context,
        rows: Tensor | None = None,
        queries: Tensor | None = None,
    ) -> Tensor:
        """See `DisentangledBlock.forward`."""
        output = super().forward(x, context, rows, queries)
        if queries is not None:  # microsoft/DeBERTa's mask decoder asks the layer beneath it alone
            return output
        convolved: Tensor = self.convolution(x, output, context, rows)
        return convolved
