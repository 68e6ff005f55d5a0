"""Sentence embedding (Reimers and Gurevych 2019, arXiv 1908.10084): one vector a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from unmask.batch import Batch
from unmask.errors import DataError
from unmask.nn import pooling
from unmask.nn.activations import ACTIVATIONS
from unmask.tasks.sentence_config import DenseActivation, DenseConfig, PoolingMode, SentenceConfig
from unmask.tasks.task import Outputs, Term

HEAD = "sentence"
"""Of a model that makes vectors of texts."""
_POOLINGS: Mapping[PoolingMode, Callable[[], pooling.Pooling]] = {
    "cls": pooling.First,
    "max": pooling.Max,
    "mean": pooling.Mean,
    "mean_sqrt_len_tokens": pooling.MeanBySquareRoot,
    "weightedmean": pooling.WeightedMean,
    "lasttoken": pooling.Last,
}
_ACTIVATIONS: Mapping[DenseActivation, Callable[[Tensor], Tensor]] = {
    "identity": nn.Identity(),
    "tanh": torch.tanh,
    "gelu": ACTIVATIONS["gelu"],
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
}


class SentenceHead(nn.Module):
    """Hidden states pooled, then through the layers that follow."""

    def __init__(self, pool: nn.Module, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.pool = pool
        self.layers = nn.Sequential(*layers)

    def forward(self, hidden: Tensor, lengths: tuple[int, ...], skipped: int = 0) -> Tensor:
        """(N, D) packed hidden states to (B, E); see `pooling.Pooling` for `skipped`."""
        vectors: Tensor = self.layers(self.pool(hidden, lengths, skipped))
        return vectors


def build(config: SentenceConfig, hidden_size: int) -> SentenceHead:
    """The head for an encoder of this width, with torch's initial weights.

    Raises:
        DataError: The first dense layer takes vectors of another width.
    """
    pooled = hidden_size * len(config.pooling)
    dense = [layer for layer in config.layers if isinstance(layer, DenseConfig)]
    if dense and dense[0].in_features != pooled:
        raise DataError(
            f"the dense layer takes vectors of {dense[0].in_features} dimensions, but pooling "
            f"gives {pooled}: check that both come from the same model."
        )
    parts = [_POOLINGS[mode]() for mode in config.pooling]
    return SentenceHead(parts[0] if len(parts) == 1 else pooling.Joined(parts), _layers(config))


def _layers(config: SentenceConfig) -> list[nn.Module]:
    return [
        pooling.Projection(
            layer.in_features, layer.out_features, _ACTIVATIONS[layer.activation], bias=layer.bias
        )
        if isinstance(layer, DenseConfig)
        else pooling.Normalise()
        for layer in config.layers
    ]


@dataclass(frozen=True)
class SentenceEmbedding:
    """What a sentence encoder is asked for; a model in training has losses besides."""

    config: SentenceConfig
    skipped: int = 0
    """Tokens at the beginning of each sequence that are not pooled: a prompt's."""

    name = "embedding"

    def stored(self) -> dict[str, Any]:
        """The settings, which a folder keeps in the files of its modules."""
        return {"name": self.name, "config": self.config.model_dump(mode="json")}

    @property
    def reads_first(self) -> bool:
        """Whether each sequence's first token is all that is read."""
        return self.config.pooling == ("cls",) and not self.skipped

    def rows(self, batch: Batch) -> Tensor | None:
        """All tokens, or each sequence's first."""
        return batch.starts() if self.reads_first else None

    def outputs(self, heads: nn.ModuleDict, hidden: Tensor, batch: Batch) -> Outputs:
        """`embedding` (B, E)."""
        lengths = (1,) * len(batch.lengths) if self.reads_first else batch.lengths
        return {"embedding": heads[HEAD](hidden, lengths, self.skipped)}

    def counts(self, _batch: Batch) -> dict[str, float]:
        """Nothing is learned by this task alone."""
        return {}

    def loss(self, _outputs: Outputs, _batch: Batch) -> list[Term]:
        """None, see `counts`."""
        return []
