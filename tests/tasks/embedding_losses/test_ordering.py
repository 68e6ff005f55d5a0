"""Pairs in the order of their scores: against the sum over all pairs of pairs."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from unmask.tasks.embedding_losses.config import AngleConfig, CoSENTConfig
from unmask.tasks.embedding_losses.ordering import Angle, CoSENT, angle
from unmask.tasks.embedding_losses.similarity import cosine

QUIET = settings(deadline=None, derandomize=True, max_examples=100)
scores = st.lists(st.sampled_from([-1.0, -0.0, 0.0, 0.5, 0.5, 4.0]), min_size=1, max_size=9)


def drawn(num_examples: int, dimension: int = 5) -> Tensor:
    """(G, 2, dimension) in fp64."""
    generator = torch.Generator().manual_seed(2)
    return torch.randn(num_examples, 2, dimension, generator=generator).double()


def written_out(alike: Tensor, labels: list[float], scale: float) -> float:
    """log(1 + the sum over all ordered pairs of examples)."""
    return math.log1p(
        sum(
            math.exp(scale * float(alike[j] - alike[i]))
            for i, high in enumerate(labels)
            for j, low in enumerate(labels)
            if high > low
        )
    )


@QUIET
@given(scores)
def test_it_is_the_sum_over_all_pairs_in_the_wrong_order(labels: list[float]) -> None:
    pairs = drawn(len(labels)).requires_grad_()
    for loss, measure in (
        (CoSENT(CoSENTConfig(scale=3)), cosine),
        (Angle(AngleConfig(scale=3)), angle),
    ):
        found = loss(pairs, torch.tensor(labels))
        (gradient,) = torch.autograd.grad(found, pairs)
        expected = written_out(measure(pairs[:, 0], pairs[:, 1]).detach(), labels, 3)
        assert found.item() == pytest.approx(expected, abs=1e-12)
        assert torch.isfinite(gradient).all()
        if len(set(labels)) == 1:
            assert found.item() == 0.0
            assert gradient.abs().max() == 0.0


def test_only_the_order_of_the_scores_counts() -> None:
    loss, pairs = CoSENT(CoSENTConfig()), drawn(6)
    labels = torch.tensor([0.0, 1.0, 2.0, 2.0, 4.0, 5.0])

    assert torch.equal(loss(pairs, labels), loss(pairs, labels.exp() - 100))


def test_a_large_batch_costs_no_memory_of_its_square() -> None:
    # 40,000 x 40,000 differences would be 12.8 GB.
    pairs = drawn(40_000, 2).requires_grad_()
    labels = torch.rand(40_000, generator=torch.Generator().manual_seed(0))
    found = CoSENT(CoSENTConfig())(pairs, labels)
    found.backward()

    assert torch.isfinite(found)
    assert torch.isfinite(pairs.grad).all()


def test_single_precision_holds_the_sum_at_any_scale() -> None:
    pairs, labels = drawn(200), torch.arange(200) % 7
    for scale in (1.0, 20.0, 1000.0):
        loss = CoSENT(CoSENTConfig(scale=scale))
        assert loss(pairs.float(), labels).item() == pytest.approx(
            loss(pairs, labels).item(), rel=1e-5
        )


def test_an_angle_is_that_of_complex_numbers() -> None:
    pairs = drawn(7, 6)
    z = torch.complex(pairs[:, 0, :3].contiguous(), pairs[:, 0, 3:].contiguous())
    w = torch.complex(pairs[:, 1, :3].contiguous(), pairs[:, 1, 3:].contiguous())
    quotient = (z * w.conj()).sum(-1) / (pairs[:, 0].norm(dim=-1) * pairs[:, 1].norm(dim=-1))

    torch.testing.assert_close(
        angle(pairs[:, 0], pairs[:, 1]), (quotient.real + quotient.imag).abs()
    )


def test_an_odd_number_of_entries_is_filled_with_a_zero() -> None:
    first, second = drawn(4, 5).unbind(1)
    filled = [torch.nn.functional.pad(x, (0, 1)) for x in (first, second)]

    assert torch.equal(angle(first, second), angle(*filled))
