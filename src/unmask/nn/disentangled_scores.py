"""Disentangled attention on what is projected: by SDPA, or written out for training on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from unmask.nn import dropout
from unmask.nn.disentangled_terms import (
    Given,
    Tables,
    add_term_gradients,
    add_terms,
    learnt_scores,
)
from unmask.nn.parts import like_rows, summing

_SEEDS = 1 << 62
"""Numbers of which a part draws one, so that the backward can drop the same weights again."""
_LONGEST_KEPT = 256
"""Tokens of a sequence up to which training keeps the weights of all pairs until the backward. Of
longer ones they are computed again, since they would take more memory than all other activations
of the block."""


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    tables: Tables,
    mask: Tensor | None,
    asking: Tensor | None,
    scale: float,
    rate: float,
) -> Tensor:
    """Queries (B, H, Tq, W), keys and values (B, H, Tk, W) to (B, H, Tq, W).

    The score of query i and key j is `scale` times the sum of q_i k_j, q_i keys[i - j] and
    queries[i - j] k_j: He et al. 2021, equation 4, but for the last, which has j - i there. Their
    code (microsoft/DeBERTa, `deberta/disentangled_attention.py`) and so all weights have i - j,
    which wins. `mask` (B, 1, 1, Tk) bool, True = attend.
    `asking` (B, Tq) says where the queries stand in their sequence when not all do. Weights are
    dropped at `rate` and the others scaled up.
    """
    q = q * scale  # before any product, so that none overflows in half precision
    queries = None if tables.queries is None else tables.queries * scale
    by_head = q.transpose(0, 1), k.transpose(0, 1), v.transpose(0, 1)
    given = Given(*by_head, tables.keys, queries, mask, asking)
    is_learning = torch.is_grad_enabled() and any(
        x is not None and x.requires_grad for x in (q, k, v, tables.keys, queries)
    )
    if is_learning and q.device.type == "cpu":
        written: Tensor = _Attention.apply(*given, rate)  # type: ignore[no-untyped-call]
        return written.transpose(0, 1)
    if is_learning:
        return _by_sdpa(given, learnt_scores(given), rate)
    attended = like_rows(q, q.shape[2])
    for part in given.parts():
        some = given.at(part)
        added = some.q.new_zeros(*some.q.shape[:3], k.shape[2])  # (h, b, Tq, Tk)
        add_terms(added, some.q, some.k, some.keys, some.queries, some.asking)
        attended[part] = _by_sdpa(some, added, rate)
    return attended


def _by_sdpa(given: Given, added: Tensor, rate: float) -> Tensor:
    q, k, v, added = (x.transpose(0, 1) for x in (given.q, given.k, given.v, added))
    if given.mask is not None:
        added = added.masked_fill(~given.mask, float("-inf"))  # (B, H, Tq, Tk)
    return functional.scaled_dot_product_attention(
        q, k, v, attn_mask=added, dropout_p=rate, scale=1.0
    )


class _Attention(torch.autograd.Function):
    """Keeps a number and a byte for each pair of tokens, nothing at all for those of long
    sequences, and nothing for distances."""

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        keys: Tensor | None,
        queries: Tensor | None,
        mask: Tensor | None,
        asking: Tensor | None,
        rate: float,
    ) -> Tensor:
        given = Given(q, k, v, keys, queries, mask, asking)
        attended, seeds, of_parts = torch.empty_like(q), [], []
        is_long = k.shape[2] > _LONGEST_KEPT
        for sequences, heads in given.parts():
            some = given.at((sequences, heads))
            weights = some.weights()
            seeds.append(int(torch.randint(_SEEDS, ())) if rate else 0)
            kept = _kept(weights, rate, seeds[-1])
            attended[heads, sequences] = torch.matmul(_dropped(weights, kept, rate), some.v)
            of_parts += [] if is_long else [weights, kept]
        ctx.save_for_backward(*given, *of_parts)
        ctx.rate, ctx.seeds = rate, seeds
        return attended

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        given = Given(*ctx.saved_tensors[:7])
        of_parts = ctx.saved_tensors[7:]
        towards = given._replace(
            q=torch.empty_like(given.q),
            k=torch.empty_like(given.k),
            v=torch.empty_like(given.v),
            keys=_zeros_like(given.keys),
            queries=_zeros_like(given.queries),
        )
        for i, (sequences, heads) in enumerate(given.parts()):
            some, into = given.at((sequences, heads)), towards.at((sequences, heads))
            if of_parts:
                weights, kept = of_parts[2 * i : 2 * i + 2]
            else:
                weights = some.weights()
                kept = _kept(weights, ctx.rate, ctx.seeds[i])
            gradient = gradients[0][heads, sequences]
            into.v.copy_(torch.matmul(_dropped(weights, kept, ctx.rate).mT, gradient))
            # Softmax's Jacobian: each weight times its gradient above the row's mean.
            for_weights = _dropped(torch.matmul(gradient, some.v.mT), kept, ctx.rate)
            for_scores = torch._softmax_backward_data(for_weights, weights, -1, weights.dtype)
            del for_weights
            into.q.copy_(torch.matmul(for_scores, some.k))
            into.k.copy_(torch.matmul(for_scores.mT, some.q))
            add_term_gradients(for_scores, some, into)
        for_keys, for_queries = (
            None if table is None else table.to(given.q.dtype)
            for table in (towards.keys, towards.queries)
        )
        return towards.q, towards.k, towards.v, for_keys, for_queries, None, None, None


def _zeros_like(table: Tensor | None) -> Tensor | None:
    """What every part adds to."""
    return None if table is None else torch.zeros_like(table, dtype=summing(table.dtype))


def _kept(weights: Tensor, rate: float, seed: int) -> Tensor | None:
    """Where weights are not dropped, the same for the same seed; None where none is."""
    if not rate:
        return None
    return dropout.keep_mask(weights.shape, rate, torch.Generator().manual_seed(seed))


def _dropped(weights: Tensor, kept: Tensor | None, rate: float) -> Tensor:
    return weights if kept is None else dropout.apply_mask(weights, kept, rate)
