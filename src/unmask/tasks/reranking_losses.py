"""Losses of scores that put a query's documents in order, as sums with counts known before.

Each takes (G, K) logits of K documents for each of G queries, and their grades (G, K), NaN where a
query has fewer documents. It gives the sum over what `count` counts, in nats: Cao et al. 2007 and
all that follow use natural logarithms, sentence-transformers' LambdaLoss and RankNetLoss binary
ones by default, which is this divided by ln 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from unmask.tasks.losses import widened
from unmask.tasks.reranking_config import RerankingConfig

_NDCG_SHARE = 10.0
"""How much the tighter bound weighs beside LambdaRank's (Wang et al. 2018, NDCG-Loss2++)."""
_LEAST_DCG = 1e-10


class RerankingLoss(Protocol):
    """What is learned of a query's documents."""

    needs_order: ClassVar[bool]
    """Whether it compares documents of one query, so that one alone says nothing."""

    def count(self, grades: Tensor) -> float:
        """What the sum is divided by, from (G, K) grades alone."""
        ...

    def __call__(self, logits: Tensor, grades: Tensor) -> Tensor:
        """() the sum, from (G, K) and (G, K)."""
        ...


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """Whether a document is relevant, each by itself; the grade is the probability of that.

    Formula: -w y log s(x) - (1 - y) log(1 - s(x)) with s the sigmoid, over all pairs. Other names:
    pointwise loss, monoBERT's loss; sentence-transformers' BinaryCrossEntropyLoss with `pos_weight`
    for w. Neighbours: `MeanSquaredError` for grades without bounds, `ListNet`.
    Source: Nogueira and Cho 2019, equation 1.

    >>> BinaryCrossEntropy()(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])).item() / 2
    0.6931471824645996
    """

    positive_weight: float = 1.0
    needs_order: ClassVar[bool] = False

    def count(self, grades: Tensor) -> float:
        """Pairs."""
        return _present(grades)

    def __call__(self, logits: Tensor, grades: Tensor) -> Tensor:
        """See `RerankingLoss`."""
        scores, targets = _pairs(logits, grades)
        weight = torch.tensor(self.positive_weight, dtype=scores.dtype, device=scores.device)
        return functional.binary_cross_entropy_with_logits(
            scores, targets, pos_weight=weight, reduction="sum"
        )


@dataclass(frozen=True)
class MeanSquaredError:
    """The grade itself, or a teacher's score; sentence-transformers' MSELoss.

    Neighbours: `BinaryCrossEntropy`. Source: Hofstätter et al. 2020, arXiv 2010.02666, for scores
    of a teacher.

    >>> MeanSquaredError()(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 2.0]])).item() / 2
    2.0
    """

    needs_order: ClassVar[bool] = False

    def count(self, grades: Tensor) -> float:
        """Pairs."""
        return _present(grades)

    def __call__(self, logits: Tensor, grades: Tensor) -> Tensor:
        """See `RerankingLoss`."""
        scores, targets = _pairs(logits, grades)
        return (scores - targets).square().sum()


@dataclass(frozen=True)
class ListNet:
    """The softmax of the scores follows the softmax of the grades: cross-entropy over each list.

    Other names: top-one ListNet. Neighbours: `ListMLE`. Source: Cao et al. 2007, section 5.2;
    sentence-transformers' ListNetLoss.

    >>> found = ListNet()(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
    >>> round(found.item(), 4)
    0.6931
    """

    needs_order: ClassVar[bool] = True

    def count(self, grades: Tensor) -> float:
        """Queries."""
        return float(grades.shape[0])

    def __call__(self, logits: Tensor, grades: Tensor) -> Tensor:
        """See `RerankingLoss`."""
        is_there = ~grades.isnan()
        scores = _filled(logits, is_there).log_softmax(dim=1)
        targets = grades.to(scores.dtype).masked_fill(~is_there, float("-inf")).softmax(dim=1)
        return -(targets * scores.masked_fill(~is_there, 0.0)).sum()


@dataclass(frozen=True)
class ListMLE:
    """The likelihood of the right order, drawn without replacement by the softmax of the scores.

    Formula: -sum over ranks i of x_i - log sum over j >= i of exp x_j. Documents of one grade are
    taken in the order in which they are given, of which the loss makes a right one: with many such,
    as where grades are 0 and 1, the other losses ask for less that is not so.

    Other names: Plackett-Luce likelihood. Neighbours: `ListNet`. Source: Xia et al. 2008, section
    4.2.4; sentence-transformers' ListMLELoss with `respect_input_order=False`.

    >>> found = ListMLE()(torch.zeros(1, 3), torch.tensor([[2.0, 0.0, 1.0]]))
    >>> round(found.item(), 4)  # log 3! possible orders
    1.7918
    """

    needs_order: ClassVar[bool] = True

    def count(self, grades: Tensor) -> float:
        """Queries."""
        return float(grades.shape[0])

    def __call__(self, logits: Tensor, grades: Tensor) -> Tensor:
        """See `RerankingLoss`."""
        is_there = ~grades.isnan()
        ranks = grades.masked_fill(~is_there, float("-inf"))
        order = ranks.argsort(dim=1, descending=True, stable=True)
        scores = _filled(logits, is_there).gather(1, order)
        rest = scores.flip(1).logcumsumexp(dim=1).flip(1)
        return (rest - scores).masked_fill(~is_there.gather(1, order), 0.0).sum()


@dataclass(frozen=True)
class Lambda:
    """Of each two documents of a query the more relevant one scores more, weighed by what it costs.

    Formula: the sum over pairs with a greater grade first of -w_ij log s(x_i - x_j), s the sigmoid.
    Without a weighting, w = 1, it is RankNet (Burges et al. 2005). With one it bounds nDCG with
    the gains 2^grade - 1: `lambdarank` (Burges et al. 2006) weighs by what nDCG loses when the two
    change places in the present order; `ndcg-loss2` by a tighter bound, in which the difference of
    their ranks counts; `ndcg-loss2++` is 10 times the latter and the former.

    Neighbours: `ListNet`, `ListMLE`. Source: Wang et al. 2018; sentence-transformers' LambdaLoss
    and RankNetLoss with `reduction_log="natural"`, without `k`: which pairs lie among the first k
    depends on the scores, and a sum is divided here by what the labels alone tell.

    >>> found = Lambda(None)(torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0]]))
    >>> round(found.item(), 4)
    1.3133
    """

    weighting: str | None
    needs_order: ClassVar[bool] = True

    def count(self, grades: Tensor) -> float:
        """Pairs of documents of one query, one of which has the greater grade."""
        return float((grades[:, :, None] > grades[:, None, :]).sum())

    def __call__(self, logits: Tensor, grades: Tensor) -> Tensor:
        """See `RerankingLoss`."""
        is_there = ~grades.isnan()
        scores, order = _filled(logits, is_there).sort(dim=1, descending=True, stable=True)
        ranked = grades.gather(1, order).to(scores.dtype)  # (G, K) best score first
        is_pair = ranked[:, :, None] > ranked[:, None, :]  # (G, K, K)
        apart = (scores[:, :, None] - scores[:, None, :]).masked_fill(~is_pair, 0.0)
        losses = -functional.logsigmoid(apart)
        if self.weighting is not None:
            losses = losses * _weights(self.weighting, ranked)
        return losses.masked_fill(~is_pair, 0.0).sum()


def build(config: RerankingConfig) -> RerankingLoss:
    """The loss that settings name, whose `auto` is resolved."""
    losses: dict[str, RerankingLoss] = {
        "binary-cross-entropy": BinaryCrossEntropy(config.positive_weight),
        "mean-squared-error": MeanSquaredError(),
        "listnet": ListNet(),
        "listmle": ListMLE(),
        "ranknet": Lambda(None),
        "lambda": Lambda(config.weighting),
    }
    return losses[config.loss]


def _weights(weighting: str, ranked: Tensor) -> Tensor:
    """(G, K, K) what two documents in the wrong order cost; `ranked` are grades by rank."""
    size = ranked.shape[1]
    grades = ranked.nan_to_num(0.0)  # (G, K)
    discounts = (2.0 + torch.arange(size + 1, dtype=grades.dtype, device=grades.device)).log2()
    best, _ = grades.sort(dim=1, descending=True)
    most = ((best.exp2() - 1) / discounts[:size]).sum(dim=1).clamp(min=_LEAST_DCG)  # (G,)
    gains = (grades.exp2() - 1) / most[:, None]
    apart = (gains[:, :, None] - gains[:, None, :]).abs()
    inverse = discounts.reciprocal()
    changed = (inverse[:size, None] - inverse[None, :size]).abs()  # (K, K)
    if weighting == "lambdarank":
        return changed * apart
    ranks = torch.arange(size, device=grades.device)
    distances = (ranks[:, None] - ranks[None, :]).abs()
    bound = (inverse[(distances - 1).clamp(min=0)] - inverse[distances]).abs()  # (K, K)
    if weighting == "ndcg-loss2":
        return bound * apart
    return (_NDCG_SHARE * bound + changed) * apart


def _present(grades: Tensor) -> float:
    return float((~grades.isnan()).sum())


def _pairs(logits: Tensor, grades: Tensor) -> tuple[Tensor, Tensor]:
    """(M,) scores and grades of the documents that are there."""
    is_there = ~grades.isnan()
    scores = widened(logits)[is_there]
    return scores, grades[is_there].to(scores.dtype)


def _filled(logits: Tensor, is_there: Tensor) -> Tensor:
    """(G, K) scores, where none is there one that no softmax sees."""
    scores = widened(logits)
    return scores.masked_fill(~is_there, torch.finfo(scores.dtype).min)
