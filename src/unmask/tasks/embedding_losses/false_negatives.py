"""Which texts of a batch are no negatives, although they belong to another example."""

from __future__ import annotations

from torch import Tensor


def known_texts(ids: Tensor) -> Tensor:
    """(G, K) identities to (G, G * (K - 1)) bool: texts that are no negatives of an anchor.

    They are the anchor itself, its positive, and the positives of equal anchors; texts stand as
    all positives, then all first negatives, and so on. The diagonal, each anchor's own positive,
    is False.
    """
    anchors, positives = ids[:, :1], ids[:, 1:2]  # (G, 1) each
    texts = ids[:, 1:].t().flatten()  # (G * (K - 1),)
    known = (texts == anchors) | (texts == positives)
    known[:, : len(ids)] |= anchors.t() == anchors
    return known.fill_diagonal_(False)


def known_anchors(ids: Tensor) -> Tensor:
    """(G, K) identities to (G, G) bool: anchors that are no negatives of a positive, or anchor.

    They are equal to it, or belong to an equal positive. The diagonal is False.
    """
    anchors, positives = ids[:, :1], ids[:, 1:2]
    known = anchors.t() == anchors
    known |= anchors.t() == positives
    known |= positives.t() == positives
    return known.fill_diagonal_(False)


def too_similar(scores: Tensor, limits: Tensor) -> Tensor:
    """(G, M) scores and (G,) limits to (G, M) bool: what lies above; the diagonal is False."""
    return (scores > limits[:, None]).fill_diagonal_(False)
