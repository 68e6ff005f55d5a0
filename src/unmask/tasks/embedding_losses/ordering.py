"""Pairs in the order of their scores."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from unmask.tasks.embedding_losses.config import AngleConfig, CoSENTConfig
from unmask.tasks.embedding_losses.loss import EmbeddingLoss
from unmask.tasks.embedding_losses.similarity import PairMeasure, cosine, unit


class CoSENT(EmbeddingLoss):
    """A smooth count of how far cosines of a batch stand in another order than their scores.

    Other names: consistent sentence embedding, ranking loss for STS; `CoSENTLoss` in
    sentence-transformers.

    Formula: log(1 + sum of exp(scale * (cos_j - cos_i))) over all i, j of the batch where the score
    of i is greater than that of j. Pairs of equal scores are not compared, and where all are equal
    the loss is log 1 = 0, without a gradient.

    Inputs: two texts and a score, in any unit: only its order counts.

    Neighbours: `CosineSimilarity` wants the scores themselves; `Angle` is this with another
    measure. The loss is no mean: it grows, slowly, with the batch and with how many different
    scores are in it.

    Worked example at scale 1: the pair that should be more alike has cosine 0, the other 1:
    log(1 + exp(1 - 0)).

    >>> loss = CoSENT(CoSENTConfig(scale=1))
    >>> pairs = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [3.0, 0.0]]])
    >>> round(loss(pairs, torch.tensor([5.0, 2.0])).item(), 4)
    1.3133

    Source: Huang et al. 2024 (IEEE/ACM TASLP, doi 10.1109/TASLP.2024.3402087).
    """

    name = "cosent"
    scope = "batch"
    texts = (2, 2)
    labels = "score"
    measure: PairMeasure = staticmethod(cosine)

    def __init__(self, config: CoSENTConfig | AngleConfig) -> None:
        super().__init__()
        self.scale = config.scale

    def compute(self, embeddings: Tensor, labels: Tensor, _ids: Tensor | None, /) -> Tensor:
        """() in nats."""
        alike = self.scale * self.measure(embeddings[:, 0], embeddings[:, 1])  # (G,)
        return _disorder(alike, labels)


def angle(first: Tensor, second: Tensor) -> Tensor:
    """|real part + imaginary part| of z / w on the unit sphere: (..., E) twice to (...).

    The first half of a vector are real parts, the second imaginary ones; of an odd number of
    entries the last imaginary part is 0. In 0..sqrt(2), and 0 where one has length zero.
    """
    if first.shape[-1] % 2:
        first, second = functional.pad(first, (0, 1)), functional.pad(second, (0, 1))
    a, b = unit(first).chunk(2, -1)  # z = a + bi
    c, d = unit(second).chunk(2, -1)  # w = c + di
    real, imaginary = a * c + b * d, b * c - a * d
    return (real + imaginary).sum(-1).abs()


class Angle(CoSENT):
    """`CoSENT` of angles in complex space, whose gradient does not fade where a cosine is near 1.

    Other names: AnglE, angle-optimised embeddings; `AnglELoss` in sentence-transformers.

    Formula: as for `CoSENT`, with |Re(z / w) + Im(z / w)| for the cosine. z and w are the unit
    embeddings read as complex vectors, z / w the inner product with w conjugated.

    Inputs: two texts and a score, in any unit.

    Neighbours: the paper adds `CoSENT` and in-batch negatives to it. By itself the measure is no
    likeness: embeddings that differ by a quarter turn in complex space have 1, as equal ones do. It
    is not symmetric either: exchanging the two texts turns the imaginary part's sign.

    The order of subtraction is that of the authors' code and of sentence-transformers. The
    published formula has it the other way round, as an angle would want it; of equal embeddings
    this measure is 1 and not 0, so the code wins.

    Worked example at scale 1: 1 / 1 gives 1 for the pair of score 5; 1 / exp(i pi / 4) gives
    |cos(pi / 4) - sin(pi / 4)| = 0 for that of score 2: log(1 + exp(0 - 1)).

    >>> loss = Angle(AngleConfig(scale=1))
    >>> pairs = torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [2.0, 2.0]]])
    >>> round(loss(pairs, torch.tensor([5.0, 2.0])).item(), 4)
    0.3133

    Source: Li and Li 2024 (arXiv 2309.12871), angle objective; SeanLee97/AnglE,
    `angle_emb/loss.py`, `angle_loss`.
    """

    name = "angle"
    measure: PairMeasure = staticmethod(angle)


def _disorder(alike: Tensor, scores: Tensor) -> Tensor:
    """log(1 + sum of exp(alike_j - alike_i) over scores i greater than j) of (G,) and (G,) to ().

    In G log G: for each j the sum over i is a prefix of the examples by falling score.
    """
    scores, order = scores.sort(descending=True)
    alike = alike[order]
    prefixes = torch.logcumsumexp(-alike, 0)  # (G,) log sum of exp(-alike_i) up to each
    num_higher = torch.searchsorted(-scores, -scores)  # (G,) strictly higher scores
    lower = num_higher > 0
    terms = alike[lower] + prefixes[num_higher[lower] - 1]  # (examples that are not highest,)
    return torch.cat([terms, terms.new_zeros(1)]).logsumexp(0)
