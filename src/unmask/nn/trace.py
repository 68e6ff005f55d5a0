"""Looking inside an encoder without widening its interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from unmask.batch import Batch
from unmask.nn.encoder import Encoder


@dataclass
class Trace:
    """What one forward pass went through."""

    hidden_states: list[Tensor] = field(default_factory=list)
    """The embedding's output, then each block's: L + 1 tensors (N, D), the last one
    (M, D) where only M rows were asked for."""
    attentions: list[list[Tensor]] = field(default_factory=list)
    """Per visited block, per sequence: (H, T, T) weights that sum to one over the last axis."""


@contextmanager
def record(encoder: Encoder) -> Iterator[Trace]:
    """Records hidden states and attention weights of every forward inside the block.

    Attention weights are computed anew from each block's input, since the fast kernels never
    hold them.
    """
    trace = Trace()
    batches: list[Batch] = []  # of the forward under way; the encoder adds rows of its own to it
    asking: list[Tensor | None] = []

    def keep_batch(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        batches[:] = [inputs[0]]
        asking[:] = [inputs[1] if len(inputs) > 1 else None]

    def keep_embedding(_: nn.Module, __: Any, output: Tensor) -> None:
        trace.hidden_states.append(output.detach()[: batches[0].num_tokens])

    def keep_block(block: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, context = inputs[:2]
        rows = asking[0] if len(inputs) > 2 and inputs[2] is not None else None
        num_rows = batches[0].num_tokens if rows is None else len(rows)
        trace.hidden_states.append(output.detach()[:num_rows])
        with torch.no_grad():
            found = block.attention_weights(x, context)
        trace.attentions.append(found[: len(batches[0].lengths)])

    hooks = [encoder.register_forward_pre_hook(keep_batch)]
    hooks.append(encoder.embedding.register_forward_hook(keep_embedding))
    hooks += [block.register_forward_hook(keep_block) for block in encoder.blocks]
    try:
        yield trace
    finally:
        for hook in hooks:
            hook.remove()
