"""Settings of the training of rerankers; imports no tensors."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from unmask.tasks.length_config import LengthConfig

RankingLoss = Literal[
    "auto", "binary-cross-entropy", "mean-squared-error", "ranknet", "listnet", "listmle", "lambda",
]  # fmt: skip
_ONLY_WITH = {
    "positive_weight": ("loss", "binary-cross-entropy"),
    "weighting": ("loss", "lambda"),
    "stride": ("windows", "best"),
}
"""Settings of a reranking, and what they are for."""


class RerankingConfig(LengthConfig):
    """A score of how well a document answers a query, both read together (Nogueira and Cho 2019,
    arXiv 1901.04085)."""

    loss: RankingLoss = "auto"
    """What a score learns: each pair by itself, whether it is relevant (binary-cross-entropy, for
    grades in 0..1) or its grade (mean-squared-error); or the order of a query's documents, by pairs
    of them (ranknet, lambda) or all at once (listnet, listmle). auto takes lambda for whole grades
    from 0 on where most queries have documents of several; else binary-cross-entropy for grades in
    0..1, and mean-squared-error for others."""
    positive_weight: float = Field(default=1.0, gt=0.0)
    """How often a pair of grade 1 counts in the binary cross-entropy, to make up for being rare."""
    weighting: Literal["ndcg-loss2++", "ndcg-loss2", "lambdarank"] = "ndcg-loss2++"
    """What two documents in the wrong order cost in the lambda loss: all bound nDCG, of which
    ndcg-loss2++ is the tightest (Wang et al. 2018, "The LambdaLoss Framework for Ranking Metric
    Optimization")."""
    pooling: Literal["cls", "mean"] = "cls"
    """What gives a score: the pooled `[CLS]`, or the mean of all tokens' hidden states, which
    sentence-transformers' CrossEncoder reads of ModernBERT alone."""
    windows: Literal["first", "best"] = "first"
    """What is read of a document that does not fit beside its query: its beginning, or windows of
    all of it, of which the best score counts (MaxP, Dai and Callan 2019, arXiv 1905.09217).
    Training reads the beginning."""
    stride: int = Field(default=32, ge=0)
    """Tokens that two neighbouring windows of a document share, at most half of what one holds."""

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> Self:
        for name, (other, wanted) in _ONLY_WITH.items():
            usual, found = type(self).model_fields[name].default, getattr(self, other)
            if getattr(self, name) != usual and found != wanted:
                raise ValueError(f"{name} has no effect with {other} {found}: set {other} {wanted}")
        return self
