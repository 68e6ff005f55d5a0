"""Sums, which divided by their counts are torch's means."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from unmask.batch import IGNORED
from unmask.tasks import losses

LOGITS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 2, 1, IGNORED, 2, 2])
WEIGHTS = torch.tensor([0.5, 1.0, 3.0])


def test_cross_entropy_over_its_weight_is_torchs_mean() -> None:
    for weights in (None, WEIGHTS):
        mean = functional.cross_entropy(LOGITS, LABELS, weights, ignore_index=IGNORED)
        total = losses.cross_entropy(LOGITS, LABELS, class_weights=weights)

        assert total / losses.weight_of(LABELS, weights) == pytest.approx(mean.item())


def test_smoothing_is_torchs() -> None:
    mean = functional.cross_entropy(LOGITS, LABELS, ignore_index=IGNORED, label_smoothing=0.2)

    total = losses.cross_entropy(LOGITS, LABELS, label_smoothing=0.2)
    assert total / losses.weight_of(LABELS) == pytest.approx(mean.item())


def test_focal_loss_weighs_what_is_sure_down() -> None:
    kept = LABELS != IGNORED
    truth = LOGITS.softmax(-1)[kept, LABELS[kept]]
    expected = (-((1 - truth) ** 2) * truth.log()).sum()

    assert losses.cross_entropy(LOGITS, LABELS, focal_gamma=2.0) == pytest.approx(expected.item())


def test_several_labels_are_judged_each_by_itself() -> None:
    targets = torch.tensor([[1.0, 0.0, 1.0]]).expand(6, 3)
    expected = functional.binary_cross_entropy_with_logits(
        LOGITS, targets, reduction="sum", pos_weight=WEIGHTS
    )

    assert losses.binary_cross_entropy(LOGITS, targets, WEIGHTS) == pytest.approx(expected.item())


def test_half_precision_is_summed_wide() -> None:
    values = torch.full((5000,), 3.0, dtype=torch.bfloat16)

    assert losses.squared_error(values, torch.zeros(5000)).item() == 45_000.0
    assert losses.widened(values).dtype is torch.float32
    assert losses.widened(values.double()).dtype is torch.float64


def test_focal_loss_of_a_certain_answer_has_a_gradient() -> None:
    logits = torch.tensor([[40.0, 0.0], [0.0, 0.0]], requires_grad=True)

    losses.cross_entropy(logits, torch.tensor([0, 0]), focal_gamma=0.5).backward()

    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[1].abs().max() > 0
