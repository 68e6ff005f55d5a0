"""Affine maps, by whichever of torch's two libraries of matrix products is the faster one."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

_SMALL, _LARGE = 1 << 20, 1 << 29
"""Multiplications of a product: from where on oneDNN gains anything, and from where on a product
outlasts the millisecond in which oneDNN plans a new shape, so that any shape is welcome."""


class Linear(nn.Linear):
    """`torch.nn.Linear`, computed by `affine`."""

    parts = 1
    """Matrices of equal size that lie in this one's rows, such as those of query, key and value."""

    def forward(self, x: Tensor) -> Tensor:
        """(M, in) to (M, out)."""
        return affine(x, self.weight, self.bias)


def rounded_up(num_rows: int) -> int:
    """Least number of rows from `num_rows` on that is a number of rows worth planning for.

    oneDNN plans each shape at its first use, which costs a millisecond or two, and packed
    batches bring another number of tokens at every step. Of rounded numbers there are few.
    """
    step = 8 if num_rows <= 256 else 32
    return -(-num_rows // step) * step


def affine(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`torch.nn.functional.linear` for (M, in), (out, in) and (out,), to (M, out).

    In float32 on a CPU, torch takes MKL, which has no 512-bit products for AMD's processors; oneDNN
    has, and is twice as fast on a Zen 5 (docs/decisions/0009).
    """
    if not _is_for_onednn(x, weight):
        return functional.linear(x, weight, bias)
    trained = x.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
    if trained and torch.is_grad_enabled():
        product: Tensor = _Affine.apply(x, weight, bias)  # type: ignore[no-untyped-call]
        return product
    return _onednn(x, weight, bias)


def _is_for_onednn(x: Tensor, weight: Tensor) -> bool:
    size = len(x) * weight.numel()
    return (
        size >= _SMALL
        and _has_wide_products()
        and not torch.compiler.is_compiling()
        and x.dtype is torch.float32
        and weight.dtype is torch.float32
        and x.device.type == "cpu"
        and x.ndim == 2
        and not torch.is_autocast_enabled("cpu")
        and (size >= _LARGE or rounded_up(len(x)) == len(x))
        and bool(torch.backends.mkldnn.enabled)
    )


@cache
def _has_wide_products() -> bool:
    """Whether this torch has oneDNN's product, and this processor registers of 512 bits."""
    return (
        bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and bool(torch.cpu.get_capabilities().get("avx512_f", False))
    )


def _onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return product


class _Affine(torch.autograd.Function):
    """oneDNN's product has no gradient of its own in torch; it is two more of them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _onednn(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        for_x, for_weight, for_bias = ctx.needs_input_grad
        return (
            _onednn(gradient, weight.t(), None) if for_x else None,
            _onednn(gradient.t(), x.t(), None) if for_weight else None,
            gradient.sum(0) if for_bias else None,
        )
