"""Attention as plain products, for training on a CPU."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from unmask.nn import dropout


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
        num_sequences, num_heads, num_queries, width = q.shape
        scale = 1.0 / math.sqrt(width)
        q, k, v = q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1)
        scores = _scaled_product(q, k.mT, scale)
        by_head = scores.view(num_sequences, num_heads, num_queries, k.shape[1])
        if bias is not None:
            by_head.add_(bias)
        if mask is not None:
            by_head.masked_fill_(~mask, float("-inf"))
        weights = torch.softmax(scores, dim=-1)
        del scores, by_head
        kept = dropout.keep_mask(weights.shape, rate) if rate else None
        ctx.save_for_backward(q, k, v, weights, kept)
        ctx.scale, ctx.rate, ctx.num_heads = scale, rate, num_heads
        ctx.bias_shape = None if bias is None else bias.shape
        return _with_heads(torch.bmm(_dropped(weights, kept, rate), v), num_heads)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, weights, kept = ctx.saved_tensors
        gradient = gradients[0].flatten(0, 1)
        for_v = torch.bmm(_dropped(weights, kept, ctx.rate).mT, gradient)
        # Softmax's Jacobian: each weight times its gradient above the row's mean.
        for_weights = _dropped(torch.bmm(gradient, v.mT), kept, ctx.rate)
        for_scores = torch._softmax_backward_data(for_weights, weights, -1, weights.dtype)
        for_q = _scaled_product(for_scores, k, ctx.scale)
        for_k = _scaled_product(for_scores.mT, q, ctx.scale)
        results = [_with_heads(result, ctx.num_heads) for result in (for_q, for_k, for_v)]
        for_bias = None
        if ctx.needs_input_grad[5]:
            for_bias = _with_heads(for_scores, ctx.num_heads).sum_to_size(ctx.bias_shape)
        return *results, None, None, for_bias


def _with_heads(flat: Tensor, num_heads: int) -> Tensor:
    """(B * H, T, W) to (B, H, T, W)."""
    return flat.view(len(flat) // num_heads, num_heads, *flat.shape[1:])


def _scaled_product(a: Tensor, b: Tensor, scale: float) -> Tensor:
    """(B, M, K) and (B, K, N) to (B, M, N), scaled within the product."""
    unread = a.new_empty(())
    return torch.baddbmm(unread, a, b, beta=0.0, alpha=scale)


def _dropped(weights: Tensor, kept: Tensor | None, rate: float) -> Tensor:
    return weights if kept is None else dropout.apply_mask(weights, kept, rate)
