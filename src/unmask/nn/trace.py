"""Looking inside an encoder without widening its interface."""

from __future__ import annotations

import inspect
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
    """What one forward pass went through.

    A DeBERTa that guesses masked tokens runs its last block twice (`nn.mask_decoder`), which counts
    as two blocks here.
    """

    hidden_states: list[Tensor] = field(default_factory=list)
    """The embedding's output, then each block's: L + 1 tensors (N, D), the last one
    (M, D) where only M rows were asked for."""
    attentions: list[list[Tensor]] = field(default_factory=list)
    """Per visited block, per sequence: (H, T, T) weights that sum to one over the last axis. (H, m,
    T) for the m rows of a sequence that a mask decoder asks for."""


@contextmanager
def record(encoder: Encoder) -> Iterator[Trace]:
    """Records hidden states and attention weights of every forward inside the block.

    Attention weights are computed anew from each block's input, since the fast kernels never
    hold them.
    """
    trace = Trace()
    under_way: list[_Forward] = []

    def begin(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = _given(encoder, args, kwargs)
        under_way.append(_Forward(given["batch"], given.get("rows")))

    def keep_embedding(_: nn.Module, __: Any, output: Tensor) -> None:
        if under_way:
            trace.hidden_states.append(output.detach()[: under_way[-1].batch.num_tokens])

    def keep_block(
        block: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor
    ) -> None:
        if under_way:
            given = _given(block, args, kwargs)
            trace.hidden_states.append(output.detach()[: under_way[-1].num_rows(given)])
            with torch.no_grad():
                trace.attentions.append(under_way[-1].weights(block, given))

    def end(_: nn.Module, __: Any, ___: Any) -> None:
        del under_way[-1:]

    hooks = [encoder.register_forward_pre_hook(begin, with_kwargs=True)]
    hooks.append(encoder.embedding.register_forward_hook(keep_embedding))
    hooks += [block.register_forward_hook(keep_block, with_kwargs=True) for block in encoder.blocks]
    hooks.append(encoder.register_forward_hook(end, always_call=True))
    try:
        yield trace
    finally:
        for hook in hooks:
            hook.remove()


@dataclass(frozen=True)
class _Forward:
    """One of the encoder, which adds rows and a sequence of its own to what it was given."""

    batch: Batch
    rows: Tensor | None

    def num_rows(self, given: dict[str, Any]) -> int:
        """Of a block's output, by what the block was `given`."""
        asks = given.get("rows") is not None or given.get("queries") is not None
        return len(self.rows) if asks and self.rows is not None else self.batch.num_tokens

    def weights(self, block: Any, given: dict[str, Any]) -> list[Tensor]:
        """What a block looked at, of the batch's own sequences and rows."""
        x, context, queries = given["x"], given["context"], given.get("queries")
        if queries is None or self.rows is None:
            found = block.attention_weights(x, context)
        else:
            found = block.asked_weights(queries[: len(self.rows)], self.rows, x, context)
        return list(found[: len(self.batch.lengths)])


def _given(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """What a call hands over, by the names of the parameters."""
    return inspect.signature(module.forward).bind(*args, **kwargs).arguments
