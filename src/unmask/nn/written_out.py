"""Attention as plain products, for training on a CPU."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from unmask.nn import dropout
from unmask.nn.parts import Part, like_rows, parts, summing


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    rate: float,
    bias: Tensor | None = None,
) -> Tensor:
    """Queries (B, H, Tq, W), keys and values (B, H, Tk, W) to (B, H, Tq, W).

    `mask` (B, 1, 1 or Tq, Tk) bool, True = attend. Weights are dropped at `rate` and the others
    scaled up. `bias` (1 or B, H, Tq, Tk) is added to the scaled scores, and gets a gradient.
    """
    attended: Tensor = _Attention.apply(q, k, v, mask, rate, bias)  # type: ignore[no-untyped-call]
    return attended


_AT_ONCE = 1 << 18
"""Pairs of tokens that are compared at once: their scores stay in the cache from one operation to
the next, which at 512 tokens is 2.4 times as fast as all heads of a batch together."""


class _Attention(torch.autograd.Function):
    """Keeps one number and one byte for each pair of tokens; torch would keep twice as much."""

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor | None,
        rate: float,
        bias: Tensor | None,
    ) -> Tensor:
        num_queries, num_keys = q.shape[2], k.shape[2]
        scale = 1.0 / math.sqrt(q.shape[3])
        weights = q.new_empty(*q.shape[:2], num_queries, num_keys)
        kept = torch.empty(weights.shape, dtype=torch.bool, device=q.device) if rate else None
        attended = like_rows(v, num_queries)
        for part in _parts(weights):
            scores = _scaled_product(q[part], k[part].mT, scale)
            if bias is not None:
                scores += _of(bias, part)
            if mask is not None:
                scores.masked_fill_(~_of(mask, part), float("-inf"))
            torch.softmax(scores, dim=-1, out=weights[part])
            if kept is not None:
                kept[part] = dropout.keep_mask(scores.shape, rate)
            attended[part] = _dropped(weights, kept, part, rate) @ v[part]
        ctx.save_for_backward(q, k, v, weights, kept)
        ctx.scale, ctx.rate = scale, rate
        ctx.bias_shape = None if bias is None else bias.shape
        return attended

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, weights, kept = ctx.saved_tensors
        (gradient,) = gradients
        for_q, for_k, for_v = (like_rows(one, one.shape[2]) for one in (q, k, v))
        for_bias = None
        if ctx.needs_input_grad[5]:
            for_bias = weights.new_zeros(ctx.bias_shape, dtype=summing(weights.dtype))
        for part in _parts(weights):
            for_v[part] = _dropped(weights, kept, part, ctx.rate).mT @ gradient[part]
            for_weights = gradient[part] @ v[part].mT
            if kept is not None:
                for_weights = dropout.apply_mask(for_weights, kept[part], ctx.rate)
            # Softmax's Jacobian: each weight times its gradient above the row's mean.
            for_scores = torch._softmax_backward_data(for_weights, weights[part], -1, weights.dtype)
            for_q[part] = _scaled_product(for_scores, k[part], ctx.scale)
            for_k[part] = _scaled_product(for_scores.mT, q[part], ctx.scale)
            if for_bias is not None:
                into = _of(for_bias, part)
                into += for_scores.to(into.dtype).sum_to_size(into.shape)
        if for_bias is not None:
            for_bias = for_bias.to(weights.dtype)
        return for_q, for_k, for_v, None, None, for_bias


def _parts(weights: Tensor) -> Iterator[Part]:
    """Of (B, H, Tq, Tk)."""
    num_sequences, num_heads, num_queries, num_keys = weights.shape
    return parts(num_sequences, num_heads, num_queries * num_keys, _AT_ONCE)


def _of(shared: Tensor, part: Part) -> Tensor:
    """What a part reads of a tensor that may hold one for all sequences, or for all heads."""
    sequences, heads = part
    everyone = slice(None)
    return shared[
        everyone if shared.shape[0] == 1 else sequences,
        everyone if shared.shape[1] == 1 else heads,
    ]


def _scaled_product(a: Tensor, b: Tensor, scale: float) -> Tensor:
    """(B, H, M, K) and (B, H, K, N) to (B, H, M, N), scaled within the product."""
    shape = (*a.shape[:3], b.shape[3])
    product = torch.baddbmm(
        a.new_empty(()), a.flatten(0, 1), b.flatten(0, 1), beta=0.0, alpha=scale
    )
    return product.view(shape)


def _dropped(weights: Tensor, kept: Tensor | None, part: Part, rate: float) -> Tensor:
    return weights[part] if kept is None else dropout.apply_mask(weights[part], kept[part], rate)
