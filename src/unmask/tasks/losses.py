"""Losses as sums over examples, with what they are divided by known from the labels alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from unmask.batch import IGNORED

_LEAST = 1e-12
"""Below it the slope of (1 - p)^gamma with a gamma below 1 is too steep to be a number."""


def cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    class_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
) -> Tensor:
    """() summed cross-entropy in nats of (M, K) logits against (M,) labels, IGNORED left out.

    Each example counts `class_weights` (K,) of its label, divide by `weight_of` for the mean that
    `torch.nn.CrossEntropyLoss` gives (with smoothing it does otherwise: there every class's share
    has its own weight). Focal: times (1 - p)^gamma (Lin et al. 2017, equation 4).

    Worked example, a label of probability 1/4:

    >>> round(cross_entropy(torch.tensor([[0.25, 0.75]]).log(), torch.tensor([0])).item(), 4)
    1.3863
    """
    wide = widened(logits)
    plain = functional.cross_entropy(
        wide, labels, reduction="none", ignore_index=IGNORED, label_smoothing=label_smoothing
    )  # (M,)
    if focal_gamma:
        truth = functional.cross_entropy(wide, labels, reduction="none", ignore_index=IGNORED)
        missing = (-torch.expm1(-truth)).clamp_min(_LEAST)  # (M,) 1 - p
        plain = plain * missing**focal_gamma
    if class_weights is not None:
        plain = plain * _weights(labels, class_weights)
    return plain.sum()


def weight_of(labels: Tensor, class_weights: Tensor | None = None) -> float:
    """What a sum of `cross_entropy` is divided by: how many labels, or their weights."""
    if class_weights is None:
        return float((labels != IGNORED).sum())
    return float(_weights(labels, class_weights).sum())


def binary_cross_entropy(
    logits: Tensor, targets: Tensor, positive_weights: Tensor | None
) -> Tensor:
    """() summed over (M, K) independent yes-or-no labels in nats; `targets` are 0 or 1.

    A positive label counts `positive_weights` (K,) times.
    """
    return functional.binary_cross_entropy_with_logits(
        widened(logits), targets, reduction="sum", pos_weight=positive_weights
    )


def squared_error(values: Tensor, targets: Tensor) -> Tensor:
    """() summed over (M,) numbers, in the targets' unit squared."""
    return ((widened(values) - targets) ** 2).sum()


def widened(logits: Tensor) -> Tensor:
    """At least fp32: half precision cannot hold a sum over thousands of positions."""
    return logits if logits.dtype == torch.float64 else logits.float()


def _weights(labels: Tensor, class_weights: Tensor) -> Tensor:
    asked = labels != IGNORED
    return class_weights.to(labels.device)[labels.clamp(min=0)] * asked
