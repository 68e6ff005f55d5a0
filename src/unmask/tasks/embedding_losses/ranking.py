"""The right text among all texts of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from unmask.tasks.embedding_losses.config import MultipleNegativesRankingConfig, SimCSEConfig
from unmask.tasks.embedding_losses.false_negatives import known_anchors, known_texts, too_similar
from unmask.tasks.embedding_losses.loss import EmbeddingLoss
from unmask.tasks.embedding_losses.similarity import SIMILARITIES

_NEVER = float("-inf")


class MultipleNegativesRanking(EmbeddingLoss):
    """Cross-entropy of an anchor's positive among the positives and negatives of all examples.

    Other names: InfoNCE, NT-Xent, N-pairs loss, in-batch negatives, batch softmax; symmetric, the
    loss of CLIP; joint, the improved contrastive loss of GTE. `MultipleNegativesRankingLoss` in
    sentence-transformers, of whose `directions` and `partition_mode` these are three.

    Formula: the mean over the anchors i of

        log sum over texts t of exp(scale * s(anchor_i, t))  -  scale * s(anchor_i, positive_i)

    Symmetric: the mean of that and of the same with each positive looking for its anchor among all
    anchors. Joint: one sum of four, over s(anchor_i, any text), s(anchor_i, other anchors),
    s(positive_i, any anchor) and s(positive_i, texts of other examples); it holds the positive pair
    twice, as in the paper, so a batch of one example costs log 2 there and 0 otherwise.

    Inputs: an anchor and its positive, then any number of hard negatives, which are negatives of
    all other anchors too. No two examples of a batch should share a text. Where they do, and `ids`
    are given, what equals the anchor or its positive, and the positives of equal anchors, are left
    out of the sum. `false_negative_margin` leaves out by similarity what no identity can tell. Both
    look at hard negatives, too.

    Neighbours: `Triplet` compares with one negative; `SimCSE` needs no pairs; `MarginMSE` and
    `KLDivergence` ask a teacher, who knows of false negatives. `GISTEmbedLoss` of
    sentence-transformers leaves out by the similarity of a second model; where that is the trained
    one, and anchors and positives are not contrasted among themselves, it is this loss with the
    other sign of the margin.

    Worked example at scale 1: each of two anchors has cosine 1 with its positive and 0 with the
    other's: log(exp(1) + exp(0)) - 1.

    >>> loss = MultipleNegativesRanking(MultipleNegativesRankingConfig(scale=1))
    >>> pairs = torch.tensor([[[1.0, 0.0], [2.0, 0.0]], [[0.0, 1.0], [0.0, 3.0]]])
    >>> round(loss(pairs).item(), 4)
    0.3133

    Source: Henderson et al. 2017 (arXiv 1705.00652), section 4.4; van den Oord et al. 2018
    (arXiv 1807.03748), equation 4; joint: Li et al. 2023 (arXiv 2308.03281), improved contrastive
    loss; the margin: Zhang et al. 2025 (arXiv 2506.05176), the mask of the training objective.
    """

    name = "multiple-negatives-ranking"
    scope = "batch"
    texts: tuple[int, int | None] = (2, None)
    labels = "none"
    uses_ids = True

    def __init__(self, config: MultipleNegativesRankingConfig) -> None:
        super().__init__()
        self.scale, self.prepare = config.scale, SIMILARITIES[config.similarity]
        self.directions, self.margin = config.directions, config.false_negative_margin

    def compute(self, embeddings: Tensor, _labels: Tensor, ids: Tensor | None, /) -> Tensor:
        """() mean over the anchors, in nats."""
        vectors = self.prepare(embeddings)  # (G, K, E)
        anchors, positives = self.scale * vectors[:, 0], self.scale * vectors[:, 1]  # (G, E) each
        texts = vectors[:, 1:].transpose(0, 1).flatten(0, 1)  # (G * (K - 1), E), positives first
        forward = anchors @ texts.t()  # (G, G * (K - 1))
        backward = forward[:, : len(vectors)].t()  # (G, G)
        right = forward.diagonal()  # (G,)
        not_texts = None if ids is None else known_texts(ids)
        sums = [self._kept(forward, right, not_texts)]
        if self.directions != "forward":
            not_anchors = None if ids is None else known_anchors(ids)
            sums.append(self._kept(backward, right, not_anchors))
        if self.directions == "joint":
            own = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
            among_anchors = self._kept(anchors @ vectors[:, 0].t(), right, not_anchors)
            among_texts = self._kept(positives @ texts.t(), right, not_texts)
            sums.append(among_anchors.masked_fill(own, _NEVER))
            sums.append(among_texts.masked_fill(own.repeat(1, vectors.shape[1] - 1), _NEVER))
            sums = [torch.cat(sums, 1)]
        normalisers = torch.stack([scores.logsumexp(1) for scores in sums])  # (softmaxes, G)
        return (normalisers.mean(0) - right).mean()

    def _kept(self, scores: Tensor, right: Tensor, known: Tensor | None) -> Tensor:
        """(G, M) scores, minus infinity where a text is taken for no negative."""
        if known is not None:
            scores = scores.masked_fill(known, _NEVER)
        if self.margin is not None:
            limits = right + self.scale * self.margin
            scores = scores.masked_fill(too_similar(scores, limits), _NEVER)
        return scores


class SimCSE(MultipleNegativesRanking):
    """A text's second pass through the encoder, with other dropout, among those of all texts.

    Other names: unsupervised SimCSE, dropout as augmentation. Sentence-transformers has no class
    for it: there it is `MultipleNegativesRankingLoss` over a text given twice.

    Formula: that of `MultipleNegativesRanking` over the cosine, with the first pass for the anchor
    and the second for the positive.

    Inputs: one text, embedded twice (`passes`) while dropout is on. Without dropout both are equal,
    and all that is learned is to push texts apart.

    Neighbours: supervised SimCSE is `MultipleNegativesRanking` over entailed pairs with
    contradictions as hard negatives.

    Worked example at scale 1: first passes (1, 0) and (0, 1), second passes equal to them but for
    length; as for `MultipleNegativesRanking`.

    >>> passes = torch.tensor([[[1.0, 0.0], [2.0, 0.0]], [[0.0, 1.0], [0.0, 3.0]]])
    >>> round(SimCSE(SimCSEConfig(scale=1))(passes).item(), 4)
    0.3133

    Source: Gao, Yao and Chen 2021 (arXiv 2104.08821), equation 4.
    """

    name = "simcse"
    texts = (2, 2)
    passes = 2

    def __init__(self, config: SimCSEConfig) -> None:
        super().__init__(MultipleNegativesRankingConfig(scale=config.scale))
