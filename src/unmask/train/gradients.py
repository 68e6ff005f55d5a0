"""The size of a step's gradient, and its limit."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def clip(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """Scales all gradients down together to at most this norm; returns () the norm before.

    As `torch.nn.utils.clip_grad_norm_`, but gradients may be sparse, and those that are small
    enough are not multiplied by one.
    """
    numbers: list[Tensor] = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
            numbers.append(parameter.grad.values())
        else:
            numbers.append(parameter.grad)
    norm = nn.utils.get_total_norm(numbers)
    if norm > max_norm:
        torch._foreach_mul_(numbers, max_norm / (norm + 1e-6))
    return norm
