from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from unmask.nn import linear
from unmask.nn.linear import Linear, affine, rounded_up

SHAPES = [(64, 128, 256), (8, 384, 384), (320, 129, 77), (1001, 600, 1000)]
"""Rows, inputs and outputs of products that oneDNN takes, odd ones among them."""


@pytest.fixture
def wide() -> None:
    if not linear._has_wide_products():
        pytest.skip("this processor has no products of 512 bits, or torch no oneDNN")


def tensors(shape: tuple[int, int, int], *, trained: bool) -> tuple[Tensor, Tensor, Tensor]:
    num_rows, inputs, outputs = shape
    generator = torch.Generator().manual_seed(0)
    sizes = ((num_rows, inputs), (outputs, inputs), (outputs,))
    x, weight, bias = (torch.randn(size, generator=generator) for size in sizes)
    scale = inputs**-0.5  # so that results are about 1
    return (
        x.requires_grad_(trained),
        (weight * scale).requires_grad_(trained),
        bias.requires_grad_(trained),
    )


def is_close(found: Tensor, expected: Tensor) -> bool:
    """Within 1e-5 of the largest entry: sums of a thousand products come in another order."""
    largest = max(1.0, float(expected.detach().abs().max()))
    return float((found - expected).detach().abs().max()) <= 1e-5 * largest


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("has_bias", [True, False])
def test_values_are_those_of_torchs_linear(shape: tuple[int, int, int], has_bias: bool) -> None:
    x, weight, bias = tensors(shape, trained=False)
    given = bias if has_bias else None

    assert linear._is_for_onednn(x, weight)
    assert is_close(affine(x, weight, given), functional.linear(x, weight, given))


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_torchs_linear(shape: tuple[int, int, int]) -> None:
    given = tensors(shape, trained=True)
    upstream = torch.randn(shape[0], shape[2], generator=torch.Generator().manual_seed(1))

    product = affine(*given)
    found = torch.autograd.grad(product, given, upstream)
    expected = torch.autograd.grad(functional.linear(*given), given, upstream)

    assert "_Affine" in type(product.grad_fn).__name__
    for ours, theirs in zip(found, expected, strict=True):
        assert is_close(ours, theirs)


@pytest.mark.usefixtures("wide")
def test_a_gradient_that_is_no_dense_block_is_taken_too() -> None:
    given = tensors((64, 128, 256), trained=True)

    found = torch.autograd.grad(affine(*given).sum(), given)  # upstream: one number, expanded

    expected = torch.autograd.grad(functional.linear(*given).sum(), given)
    for ours, theirs in zip(found, expected, strict=True):
        assert is_close(ours, theirs)


@pytest.mark.usefixtures("wide")
def test_a_slice_of_a_larger_matrix_is_multiplied_as_it_is() -> None:
    x, weight, bias = tensors((64, 128, 384), trained=True)

    found = torch.autograd.grad(affine(x, weight[128:256], bias[128:256]).sum(), weight)[0]

    assert found[:128].count_nonzero() == found[256:].count_nonzero() == 0
    assert is_close(found[128:256], x.sum(0).expand(128, -1))


def test_frozen_weights_get_no_gradient() -> None:
    x, weight, bias = tensors((64, 128, 256), trained=True)
    layer = Linear(128, 256)
    layer.load_state_dict({"weight": weight, "bias": bias})
    layer.requires_grad_(False)

    layer(x).sum().backward()

    assert layer.weight.grad is None
    assert layer.bias.grad is None
    assert x.grad is not None
    assert is_close(x.grad, weight.sum(0).expand(64, -1))


def test_other_arithmetic_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, bias = tensors((64, 128, 256), trained=False)
    exact = affine(x.double(), weight.double(), bias.double())
    with torch.autocast("cpu", torch.bfloat16):
        half = affine(x, weight, bias)
    monkeypatch.setattr(linear, "_has_wide_products", lambda: False)
    plain = affine(x, weight, bias)

    assert exact.dtype is torch.float64
    assert half.dtype is torch.bfloat16
    assert torch.equal(plain, functional.linear(x, weight, bias))
    assert torch.equal(exact, functional.linear(x.double(), weight.double(), bias.double()))


def test_no_rows_and_one_row_give_as_many() -> None:
    layer = Linear(2048, 2048)

    assert [len(layer(torch.zeros(n, 2048))) for n in (0, 1, 7)] == [0, 1, 7]


def test_rows_are_rounded_up_to_few_numbers() -> None:
    rounded = [rounded_up(n) for n in range(2049)]

    assert all(0 <= now - n < 32 for n, now in enumerate(rounded))
    assert [rounded_up(n) for n in set(rounded)] == list(set(rounded))
    assert len(set(rounded)) == 1 + 256 // 8 + (2048 - 256) // 32


@pytest.mark.usefixtures("wide")
def test_a_bias_alone_can_be_trained() -> None:
    x, weight, bias = tensors((64, 128, 256), trained=False)
    bias.requires_grad_()

    affine(x, weight, bias).sum().backward()

    assert bias.grad is not None
    assert torch.equal(bias.grad, torch.full((256,), 64.0))
