"""Disentangled attention on what is projected: by SDPA, or written out for training on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from unmask.nn import distances, dropout

_PAIRS_AT_ONCE = 1 << 20
"""Pairs of tokens, over all heads, whose scores are computed together: what a cache holds."""
_SEEDS = 1 << 62
_LONGEST_KEPT = 256
"""Tokens of a sequence up to which training keeps the weights of all pairs until the backward. Of
longer ones they are computed again, since they would take more memory than all other activations
of the block."""


@dataclass(frozen=True)
class Tables:
    """What the distances of one group's tokens, the query's less the key's, are compared by.

    C = 2 T - 1 distances.
    """

    keys: Tensor | None
    """(H, C, W), from T - 1 down, what queries meet: content to position. None: no such term."""
    queries: Tensor | None
    """(H, C, W), from 1 - T up, what keys meet: position to content."""


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
    by_head = [x.transpose(0, 1) for x in (q, k, v)]  # (H, B, T, W) each
    keys, queries = tables.keys, None if tables.queries is None else tables.queries * scale
    is_learning = torch.is_grad_enabled() and any(
        x is not None and x.requires_grad for x in (q, k, v, keys, queries)
    )
    if q.device.type == "cpu" and is_learning:
        written: Tensor = _Attention.apply(*by_head, keys, queries, mask, asking, rate)  # type: ignore[no-untyped-call]
        return written.transpose(0, 1)
    if is_learning:
        added = _learnt_scores(by_head[0], by_head[1], keys, queries, asking)
        return _by_sdpa(by_head, added, mask, rate)
    results = []
    for part in _parts(q.shape[1], q.shape[0], q.shape[2], k.shape[2]):
        few = [x[:, part] for x in by_head]
        where = None if asking is None else asking[part]
        added = q.new_zeros(*few[0].shape[:3], k.shape[2])  # (H, b, Tq, Tk)
        add_terms(added, few[0], few[1], keys, queries, where)
        results.append(_by_sdpa(few, added, None if mask is None else mask[part], rate))
    return results[0] if len(results) == 1 else torch.cat(results)


def add_terms(
    scores: Tensor,
    q: Tensor,
    k: Tensor,
    keys: Tensor | None,
    queries: Tensor | None,
    asking: Tensor | None,
) -> None:
    """Adds what distances say to `scores` (H, B, Tq, Tk); no gradient."""
    if keys is not None and asking is None:
        distances.add(scores, q, keys)
    elif keys is not None and asking is not None:
        distances.add_picked(scores, q, keys, _columns_of_queries(asking, k.shape[2]))
    if queries is not None and asking is None:
        distances.add(scores.mT, k, queries)
    elif queries is not None and asking is not None:
        distances.add_picked(scores.mT, k, queries, _columns_of_keys(asking, k.shape[2]))


def _learnt_scores(
    q: Tensor, k: Tensor, keys: Tensor | None, queries: Tensor | None, asking: Tensor | None
) -> Tensor:
    """The same (H, B, Tq, Tk), by operations that torch has gradients for."""
    if asking is None:
        asking = torch.arange(q.shape[2], device=q.device).expand(q.shape[1], -1)
    added = q.new_zeros(*q.shape[:3], k.shape[2])
    if keys is not None:
        added = added + distances.picked(q, keys, _columns_of_queries(asking, k.shape[2]))
    if queries is not None:
        added = added + distances.picked(k, queries, _columns_of_keys(asking, k.shape[2])).mT
    return added


def _columns_of_queries(asking: Tensor, length: int) -> Tensor:
    """(B, Tq, Tk) the column of each query's distance to each key."""
    return torch.arange(length, device=asking.device) - asking[:, :, None] + (length - 1)


def _columns_of_keys(asking: Tensor, length: int) -> Tensor:
    """(B, Tk, Tq) the column of each key's distance to each query."""
    steps = torch.arange(length, device=asking.device)
    return asking[:, None, :] - steps[:, None] + (length - 1)


def _by_sdpa(heads: list[Tensor], added: Tensor, mask: Tensor | None, rate: float) -> Tensor:
    q, k, v = (x.transpose(0, 1) for x in heads)  # (B, H, T, W) each
    added = added.transpose(0, 1)  # (B, H, Tq, Tk)
    if mask is not None:
        added = added.masked_fill(~mask, float("-inf"))
    return functional.scaled_dot_product_attention(
        q, k, v, attn_mask=added, dropout_p=rate, scale=1.0
    )


def _parts(num_heads: int, num_sequences: int, num_queries: int, num_keys: int) -> Iterator[slice]:
    """Slices of sequences, as many at once as `_PAIRS_AT_ONCE` allows."""
    step = max(1, _PAIRS_AT_ONCE // max(1, num_heads * num_queries * num_keys))
    for start in range(0, max(num_sequences, 1), step):
        yield slice(start, start + step)


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
        attended, seeds, of_parts = torch.empty_like(q), [], []
        parts = list(_parts(q.shape[0], q.shape[1], q.shape[2], k.shape[2]))
        is_long = k.shape[2] > _LONGEST_KEPT
        for part in parts:
            weights = _weights(q, k, keys, queries, mask, asking, part)
            seeds.append(int(torch.randint(_SEEDS, ())) if rate else 0)
            kept = _kept(weights, rate, seeds[-1])
            attended[:, part] = torch.matmul(_dropped(weights, kept, rate), v[:, part])
            of_parts += [] if is_long else [weights, kept]
        ctx.save_for_backward(q, k, v, keys, queries, mask, asking, *of_parts)
        ctx.parts, ctx.rate, ctx.seeds = parts, rate, seeds
        return attended

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, keys, queries, mask, asking, *of_parts = ctx.saved_tensors
        for_q, for_k, for_v = (torch.empty_like(x) for x in (q, k, v))
        for_keys, for_queries = (
            None if table is None else torch.zeros_like(table) for table in (keys, queries)
        )
        for i, part in enumerate(ctx.parts):
            if of_parts:
                weights, kept = of_parts[2 * i : 2 * i + 2]
            else:
                weights = _weights(q, k, keys, queries, mask, asking, part)
                kept = _kept(weights, ctx.rate, ctx.seeds[i])
            gradient = gradients[0][:, part]
            for_v[:, part] = torch.matmul(_dropped(weights, kept, ctx.rate).mT, gradient)
            # Softmax's Jacobian: each weight times its gradient above the row's mean.
            for_weights = _dropped(torch.matmul(gradient, v[:, part].mT), kept, ctx.rate)
            for_scores = torch._softmax_backward_data(for_weights, weights, -1, weights.dtype)
            del for_weights
            for_q[:, part] = torch.matmul(for_scores, k[:, part])
            for_k[:, part] = torch.matmul(for_scores.mT, q[:, part])
            where = None if asking is None else asking[part]
            own = q[:, part], k[:, part], for_q[:, part], for_k[:, part]
            _add_term_gradients(for_scores, *own, (keys, for_keys), (queries, for_queries), where)
        return for_q, for_k, for_v, for_keys, for_queries, None, None, None


def _add_term_gradients(
    for_scores: Tensor,
    q: Tensor,
    k: Tensor,
    for_q: Tensor,
    for_k: Tensor,
    keys: tuple[Tensor | None, Tensor | None],
    queries: tuple[Tensor | None, Tensor | None],
    asking: Tensor | None,
) -> None:
    """What `add_terms` hands back; `keys` and `queries` come with their gradients."""
    sides = (
        (keys, for_q, for_scores, q, _columns_of_queries),
        (queries, for_k, for_scores.mT, k, _columns_of_keys),
    )
    for (table, for_table), for_x, towards, x, columns in sides:
        if table is None or for_table is None:
            continue
        if asking is None:
            distances.add_gradients(for_x, for_table, towards, x, table)
        else:
            where = columns(asking, k.shape[2])
            distances.add_picked_gradients(for_x, for_table, towards, x, table, where)


def _weights(
    q: Tensor,
    k: Tensor,
    keys: Tensor | None,
    queries: Tensor | None,
    mask: Tensor | None,
    asking: Tensor | None,
    part: slice,
) -> Tensor:
    """(H, b, Tq, Tk) of some of the sequences."""
    scores = torch.matmul(q[:, part], k[:, part].mT)
    add_terms(
        scores, q[:, part], k[:, part], keys, queries, None if asking is None else asking[part]
    )
    if mask is not None:
        scores.masked_fill_(~mask[part].transpose(0, 1), float("-inf"))
    return torch.softmax(scores, dim=-1)


def _kept(weights: Tensor, rate: float, seed: int) -> Tensor | None:
    """Where weights are not dropped, the same for the same seed; None where none is."""
    if not rate:
        return None
    return dropout.keep_mask(weights.shape, rate, torch.Generator().manual_seed(seed))


def _dropped(weights: Tensor, kept: Tensor | None, rate: float) -> Tensor:
    return weights if kept is None else dropout.apply_mask(weights, kept, rate)
