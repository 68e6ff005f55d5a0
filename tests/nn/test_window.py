"""Attention within a window, laid out in chunks, against the plain formula over one band."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from unmask.nn import window
from unmask.nn.projections import QueryKeyValue
from unmask.nn.rotary import RotaryContexts, RotaryKind, RotaryPositions
from unmask.nn.rotary_attention import RotaryAttention
from unmask.nn.window import Chunks

WIDTH, HEADS = 24, 2
LENGTHS = [(1,), (40,), (97,), (200,), (128, 128), (3, 250, 96, 97, 1, 130, 40)]
"""Chunks are 32 long for windows up to that, so that the longest sequences have eight."""


def made(half_window: int | None, dropout: float = 0.0) -> tuple[RotaryAttention, RotaryPositions]:
    torch.manual_seed(0)
    attention = RotaryAttention(QueryKeyValue(WIDTH), HEADS, dropout, kind=0).double()
    kinds = [RotaryKind(100.0, half_window)]
    return attention, RotaryPositions(kinds, WIDTH // HEADS)


def context_of(positions: RotaryPositions, lengths: Sequence[int]) -> RotaryContexts:
    position_ids = torch.cat([torch.arange(length) for length in lengths])
    contexts: RotaryContexts = positions(tuple(lengths), position_ids)
    return contexts


def plain(attention: RotaryAttention, x: Tensor, half_window: int | None) -> Tensor:
    """(T, D) of one sequence, by the formulas of Su et al. 2021 and of one full matrix."""
    width = WIDTH // HEADS
    q, k, v = attention.qkv(x).view(len(x), 3, HEADS, width).permute(1, 2, 0, 3)  # (H, T, W)
    angles = torch.arange(len(x))[:, None] / 100.0 ** (torch.arange(0, width, 2) / width)

    def turn(states: Tensor) -> Tensor:
        pairs = torch.complex(*states.chunk(2, dim=-1))
        turned = pairs * torch.polar(torch.ones_like(angles), angles).to(pairs.dtype)
        return torch.cat((turned.real, turned.imag), dim=-1)

    scores = turn(q) @ turn(k).mT / math.sqrt(width)  # (H, T, T)
    if half_window is not None:
        steps = torch.arange(len(x))
        scores = scores.masked_fill((steps[:, None] - steps).abs() > half_window, -math.inf)
    attended = (scores.softmax(-1) @ v).transpose(0, 1).flatten(1)
    result: Tensor = attention.output(attended)
    return result


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("half_window", [0, 1, 5, 32, 50, None])
def test_values_and_gradients_are_those_of_the_full_matrix(
    lengths: tuple[int, ...], half_window: int | None
) -> None:
    attention, positions = made(half_window)
    x = torch.randn(sum(lengths), WIDTH, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(sum(lengths), WIDTH, dtype=torch.float64)

    ours = attention(x, context_of(positions, lengths))
    theirs = torch.cat([plain(attention, one, half_window) for one in x.split(list(lengths))])

    # Angles are float32 here.
    torch.testing.assert_close(ours, theirs, rtol=0.0, atol=1e-5)
    inputs = [x, *attention.parameters()]
    found = torch.autograd.grad((ours * weight).sum(), inputs)
    expected = torch.autograd.grad((theirs * weight).sum(), inputs)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0.0, atol=1e-5 * float(other.abs().max() + 1))


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("dropout", [0.0, 1e-9], ids=["sdpa", "written out"])
@pytest.mark.parametrize("step", [3, 60, 1000])
def test_few_rows_ask_as_all_do(lengths: tuple[int, ...], dropout: float, step: int) -> None:
    attention, positions = made(5, dropout)
    x = torch.randn(sum(lengths), WIDTH, dtype=torch.float64, requires_grad=True)
    context = context_of(positions, lengths)
    rows = torch.arange(sum(lengths))[step // 2 % sum(lengths) :: step]
    weight = torch.randn(len(rows), WIDTH, dtype=torch.float64)

    few = attention(x, context.at(rows), rows)
    every = attention(x, context)[rows]

    torch.testing.assert_close(few, every, rtol=0.0, atol=1e-8)
    inputs = [x, *attention.parameters()]
    found = torch.autograd.grad((few * weight).sum(), inputs)
    expected = torch.autograd.grad((every * weight).sum(), inputs)
    for one, other in zip(found, expected, strict=True):
        assert one.isfinite().all()
        torch.testing.assert_close(one, other, rtol=0.0, atol=1e-6)


def test_nobody_may_ask() -> None:
    attention, positions = made(5)
    lengths = (250, 40)
    x = torch.randn(290, WIDTH, dtype=torch.float64)
    rows = torch.arange(0)

    assert attention(x, context_of(positions, lengths).at(rows), rows).shape == (0, WIDTH)


def test_the_weights_of_a_window_are_shown() -> None:
    attention, positions = made(5)
    x = torch.randn(250, WIDTH, dtype=torch.float64)
    (weights,) = attention.probabilities(x, context_of(positions, (250,)))

    assert weights.shape == (HEADS, 250, 250)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    steps = torch.arange(250)
    assert (weights[:, (steps[:, None] - steps).abs() > 5] == 0).all()


def test_a_window_costs_nothing_where_it_sees_all() -> None:
    _, positions = made(32)
    (kind,) = context_of(positions, (33, 33)).kinds

    assert [group.mask for group in kind.groups] == [None]
    assert kind.keys is None  # packed tokens already are the group


def test_long_sequences_are_compared_near_by_alone() -> None:
    _, positions = made(32)
    length = 4096
    (kind,) = context_of(positions, (length,)).kinds
    (group,) = kind.groups

    assert isinstance(group, Chunks)
    assert group.mask is not None
    assert group.mask.numel() == length * 3 * 32


def test_neighbours_are_the_chunks_before_and_after() -> None:
    chunks = torch.arange(4 * 2).view(4, 1, 2, 1)  # of 2 tokens
    seen = window.with_neighbours(chunks)[:, 0, :, 0].tolist()

    assert seen == [[6, 7, 0, 1, 2, 3], [0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6, 7], [4, 5, 6, 7, 0, 1]]
