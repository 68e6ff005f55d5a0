from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from unmask.train.gradients import clip


def parameters(*, sparse: bool) -> list[nn.Parameter]:
    """A table of which two rows are read, one of them twice, and a matrix."""
    torch.manual_seed(0)
    table, matrix = nn.Embedding(6, 3, sparse=sparse), nn.Linear(3, 2, bias=False)
    matrix(table(torch.tensor([4, 1, 4]))).square().sum().backward()
    return [table.weight, matrix.weight]


def dense(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad.to_dense()


@pytest.mark.parametrize("max_norm", [0.1, 1e6])
@pytest.mark.parametrize("sparse", [True, False])
def test_it_clips_as_torch_does(sparse: bool, max_norm: float) -> None:
    ours, plain = parameters(sparse=sparse), parameters(sparse=False)

    norm = clip(ours, max_norm)
    expected = nn.utils.clip_grad_norm_(plain, max_norm)

    torch.testing.assert_close(norm, expected)
    for one, other in zip(ours, plain, strict=True):
        torch.testing.assert_close(dense(one), dense(other))


@pytest.mark.parametrize("fault", [float("nan"), float("inf")])
def test_a_gradient_that_is_no_number_is_told_by_the_norm(fault: float) -> None:
    some = parameters(sparse=True)
    assert some[1].grad is not None
    some[1].grad[0, 0] = fault

    assert not torch.isfinite(clip(some, 1.0))


def test_parameters_without_gradient_are_left_out() -> None:
    some = [*parameters(sparse=True), nn.Parameter(torch.ones(2))]

    assert clip(some, 1e6) == clip(parameters(sparse=True), 1e6)
