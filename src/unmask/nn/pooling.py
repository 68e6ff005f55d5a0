"""From the hidden states of a sequence to one vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.nn.dropout import Dropout
from unmask.nn.linear import Linear


class Pooler(nn.Module):
    """A layer over the hidden state of `[CLS]` (Devlin et al. 2019, section 3.1).

    Trained by next sentence prediction or by fine-tuning; untrained it means nothing. BERT's is
    a tanh layer; other families have other activations, or drop out the input too.
    """

    def __init__(
        self,
        hidden_size: int,
        activation: Callable[[Tensor], Tensor] = torch.tanh,
        dropout_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.dropout = Dropout(dropout_rate)
        self.dense = Linear(hidden_size, hidden_size)
        self.activation = activation

    def forward(self, first_hidden: Tensor) -> Tensor:
        """(B, D) hidden states of the first tokens to (B, D)."""
        return self.activation(self.dense(self.dropout(first_hidden)))


def mean(hidden: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """(N, D) packed hidden states to (B, D), each sequence's mean over all of its tokens."""
    pooled: Tensor = Mean()(hidden, lengths, 0)
    return pooled


class Pooling(nn.Module):
    """One vector a sequence, out of the hidden states of its tokens."""

    def forward(self, hidden: Tensor, lengths: tuple[int, ...], skipped: int) -> Tensor:
        """(N, D) packed hidden states to (B, D).

        `skipped` tokens at the beginning of each sequence, such as a prompt's, are left out; of a
        sequence that has no others none is.
        """
        raise NotImplementedError


class First(Pooling):
    """The state of `[CLS]`, or of the first token that is not skipped."""

    def forward(self, hidden: Tensor, lengths: tuple[int, ...], skipped: int) -> Tensor:
        """See `Pooling`."""
        return hidden.index_select(0, _Segments(hidden, lengths, skipped).first)


class Last(Pooling):
    """The state of the last token, which in BERT's layout is `[SEP]`."""

    def forward(self, hidden: Tensor, lengths: tuple[int, ...], skipped: int) -> Tensor:
        """See `Pooling`."""
        return hidden.index_select(0, _Segments(hidden, lengths, skipped).stop - 1)


class Max(Pooling):
    """The greatest value of each dimension."""

    def forward(self, hidden: Tensor, lengths: tuple[int, ...], skipped: int) -> Tensor:
        """See `Pooling`."""
        parts = _Segments(hidden, lengths, skipped)
        lowest = hidden.new_full((len(lengths), hidden.shape[1]), float("-inf"))
        owners = parts.owners[:, None].expand(-1, hidden.shape[1])
        return lowest.scatter_reduce(0, owners, hidden[parts.rows], "amax")


class Mean(Pooling):
    """The mean over the tokens (Reimers and Gurevych 2019, section 3)."""

    def forward(self, hidden: Tensor, lengths: tuple[int, ...], skipped: int) -> Tensor:
        """See `Pooling`."""
        parts = _Segments(hidden, lengths, skipped)
        return (parts.summed(hidden[parts.rows]) / parts.sizes[:, None]).to(hidden.dtype)


class MeanBySquareRoot(Pooling):
    """The sum over the tokens by the square root of their number."""

    def forward(self, hidden: Tensor, lengths: tuple[int, ...], skipped: int) -> Tensor:
        """See `Pooling`."""
        parts = _Segments(hidden, lengths, skipped)
        return (parts.summed(hidden[parts.rows]) / parts.sizes[:, None].sqrt()).to(hidden.dtype)


class WeightedMean(Pooling):
    """The mean in which the token at place i of its sequence, counted from 1, counts i times.

    Muennighoff 2022 (SGPT), arXiv 2202.08904, equation 2.
    """

    def forward(self, hidden: Tensor, lengths: tuple[int, ...], skipped: int) -> Tensor:
        """See `Pooling`."""
        parts = _Segments(hidden, lengths, skipped)
        weights = (parts.places + 1).to(_wide(hidden))[:, None]
        totals = parts.summed(weights)
        return (parts.summed(hidden[parts.rows] * weights) / totals).to(hidden.dtype)


class Joined(nn.Module):
    """Several poolings side by side."""

    def __init__(self, poolings: Sequence[Pooling]) -> None:
        super().__init__()
        self.poolings = nn.ModuleList(poolings)

    def forward(self, hidden: Tensor, lengths: tuple[int, ...], skipped: int) -> Tensor:
        """(N, D) packed hidden states to (B, D times the number of poolings)."""
        return torch.cat([pool(hidden, lengths, skipped) for pool in self.poolings], dim=-1)


class Normalise(nn.Module):
    """Vectors of length 1."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D); a vector of zeros stays one."""
        return functional.normalize(x, dim=-1)


class Projection(nn.Module):
    """A dense layer over pooled vectors, as some sentence encoders end in one."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        activation: Callable[[Tensor], Tensor],
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.linear = Linear(in_features, out_features, bias=bias)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) to (B, E)."""
        return self.activation(self.linear(x))


class _Segments:
    """Which of the packed rows are pooled, and into which of the B vectors each goes."""

    def __init__(self, hidden: Tensor, lengths: tuple[int, ...], skipped: int) -> None:
        sizes = torch.tensor(lengths, device=hidden.device)
        self._wide = _wide(hidden)
        self.stop = sizes.cumsum(0)
        """(B,) int64, the row after each sequence's last."""
        left_out = torch.where(sizes > skipped, skipped, 0)
        self.first = self.stop - sizes + left_out
        """(B,) int64, the first row of each that is pooled."""
        self.sizes = (sizes - left_out).to(self._wide)
        """(B,) how many are."""
        owners = torch.repeat_interleave(sizes)
        places = torch.arange(len(owners), device=hidden.device) - (self.stop - sizes)[owners]
        self.rows = torch.nonzero(places >= left_out[owners]).squeeze(1) if skipped else slice(None)
        """(M,) int64, the rows that are pooled; all of them as a slice."""
        self.owners, self.places = owners[self.rows], places[self.rows]
        """(M,) int64, the sequence of each, and its place there counted from 0."""

    def summed(self, rows: Tensor) -> Tensor:
        """(M, D) to (B, D), added up in float32 at least."""
        sums = torch.zeros(
            len(self.sizes), rows.shape[1], dtype=self._wide, device=self.sizes.device
        )
        return sums.index_add(0, self.owners, rows.to(self._wide))


def _wide(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)
