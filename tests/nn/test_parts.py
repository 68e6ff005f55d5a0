"""Attention taken in parts: which there are, and that what they add to is as exact as one sum."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from unmask.nn import disentangled_terms, written_out
from unmask.nn.disentangled_scores import attend
from unmask.nn.disentangled_terms import Tables
from unmask.nn.parts import parts

SEQUENCES, HEADS, LENGTH, WIDTH = 400, 2, 9, 8


@pytest.mark.parametrize("at_once", [1, 10, 30, 45, 10**6])
def test_every_head_of_every_sequence_is_in_one_part(at_once: int) -> None:
    counts = torch.zeros(7, 5, dtype=torch.int64)
    for part in parts(7, 5, 10, at_once):
        counts[part] += 1
        assert counts[part].numel() * 10 <= max(at_once, 10)

    assert counts.eq(1).all()


def test_a_part_has_whole_sequences_where_more_than_one_fits() -> None:
    assert list(parts(3, 2, 10, 45)) == [
        (slice(0, 2), slice(0, 2)),
        (slice(2, 4), slice(0, 2)),
    ]


@pytest.fixture
def content() -> list[Tensor]:
    """Queries, keys and values (B, H, T, W) that are alike in all sequences, so that sums grow."""
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(3, 1, HEADS, LENGTH, WIDTH, generator=generator)
    noise = torch.randn(3, SEQUENCES, HEADS, LENGTH, WIDTH, generator=generator)
    return list((one + 0.1 * noise).bfloat16().unbind())


def assert_exact_but_for_rounding(found: Tensor, exact: Tensor) -> None:
    """Of the parts and of the whole; a sum in bfloat16 itself is a tenth off."""
    assert found.dtype is torch.bfloat16
    assert float((found.double() - exact).norm() / exact.norm()) < 1e-2


def test_the_gradient_of_a_bias_that_many_parts_share_is_added_up_in_float32(
    content: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written_out, "_AT_ONCE", 1)
    bias = torch.randn(1, HEADS, LENGTH, LENGTH, generator=torch.Generator().manual_seed(1))

    def gradient(dtype: torch.dtype) -> Tensor:
        learnt = bias.bfloat16().to(dtype).requires_grad_()
        q, k, v = (x.to(dtype) for x in content)
        answered = written_out.attend(q, k, v, None, 0.0, learnt)
        return torch.autograd.grad((answered * content[0].to(dtype)).sum(), learnt)[0]

    assert_exact_but_for_rounding(gradient(torch.bfloat16), gradient(torch.float64))


def test_the_gradients_of_distances_are_added_up_in_float32(
    content: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disentangled_terms, "_PAIRS_AT_ONCE", 1)
    generator = torch.Generator().manual_seed(1)
    tables = torch.randn(2, HEADS, 2 * LENGTH - 1, WIDTH, generator=generator).bfloat16()

    def gradients(dtype: torch.dtype) -> tuple[Tensor, ...]:
        learnt = [table.to(dtype).requires_grad_() for table in tables]
        q, k, v = (x.to(dtype) for x in content)
        answered = attend(q, k, v, Tables(*learnt), None, None, 0.3, 0.0)
        return torch.autograd.grad((answered * content[0].to(dtype)).sum(), learnt)

    for found, exact in zip(gradients(torch.bfloat16), gradients(torch.float64), strict=True):
        assert_exact_but_for_rounding(found, exact)
