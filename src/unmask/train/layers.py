"""What of an encoder is trained, and how fast, from the embeddings up to the head.

A block is counted where its weights are, not each time it is visited: an ALBERT of twelve layers
that share their weights has one. Where the visits of two blocks take turns, neither is the lower
one, and whatever needs an order of blocks is refused.
"""

from __future__ import annotations

import re

import torch

from unmask.errors import UsageError
from unmask.nn.init import initialise
from unmask.tasks.task import Model

_BLOCK = re.compile(r"encoder\.blocks\.(\d+)\.")


def freeze(model: Model, what: str) -> int:
    """Takes the encoder, its embeddings, or these and its N lowest blocks out of training.

    What attention knows of positions by a table of its own counts as embeddings.

    Returns:
        How many numbers are not trained.

    Raises:
        UsageError: Neither "encoder", "embeddings" nor a number of blocks that there are, or
            blocks without an order.
    """
    frozen = _frozen_blocks(model, what)
    number = 0
    for name, parameter in model.encoder.named_parameters(prefix="encoder"):
        if _depth(name) < frozen:
            parameter.requires_grad_(False)
            number += parameter.numel()
    return number


def reinitialise_top(
    model: Model, num_blocks: int, standard_deviation: float, generator: torch.Generator
) -> None:
    """Gives the top blocks fresh weights (Zhang et al. 2021, arXiv 2006.05987).

    Raises:
        UsageError: The encoder has fewer, or they are not above the others: fresh weights in a
            block that all layers share would leave nothing of what was learned.
    """
    there = len(model.encoder.blocks)
    if num_blocks:
        _check_order(model, f"reinitialise {num_blocks}")
    if num_blocks > there:
        raise UsageError(f"reinitialise: {num_blocks} top blocks, but the encoder has {there}.")
    if num_blocks == there < len(model.encoder.order):
        raise UsageError(
            f"reinitialise {num_blocks}: the encoder's {len(model.encoder.order)} layers share the "
            f"weights of {there} block(s), of which none would keep what it learned. Leave it out."
        )
    for block in model.encoder.blocks[there - num_blocks :]:
        initialise(block, standard_deviation, generator)


def rate_scales(model: Model, layer_decay: float) -> dict[str, float]:
    """By parameter name, what its learning rate is multiplied by.

    The head and the top block have 1, every block below `layer_decay` times the one above it, the
    embeddings come last.

    Raises:
        UsageError: There is no order of blocks to decay along.
    """
    if layer_decay != 1.0:
        _check_order(model, f"optim.layer_decay {layer_decay:g}")
    top = len(model.encoder.blocks)
    return {
        name: layer_decay ** (top - min(top, _depth(name)))
        for name, _ in model.encoder.named_parameters(prefix="encoder")
    }


def _depth(name: str) -> int:
    """0 for embeddings and the relative table, 1 for the lowest block; the final norm tops all."""
    if match := _BLOCK.match(name):
        return int(match[1]) + 1
    return 0 if name.startswith(("encoder.embedding.", "encoder.context.")) else 2**31


def _check_order(model: Model, setting: str) -> None:
    order = model.encoder.order
    if list(order) != sorted(order):
        raise UsageError(
            f"{setting}: the encoder visits its blocks in the order {', '.join(map(str, order))}, "
            "so that none is the lower one. Leave it out, or freeze `encoder` or `embeddings`."
        )


def _frozen_blocks(model: Model, what: str) -> int:
    """The lowest depth that is trained."""
    there = len(model.encoder.blocks)
    if what == "encoder":
        return 2**31 + 1
    if what == "embeddings":
        return 1
    if what.isdecimal() and 1 <= int(what) <= there:
        _check_order(model, f"--freeze {what}")
        return int(what) + 1
    raise UsageError(
        f"--freeze {what}: expected `encoder`, `embeddings`, or how many of the {there} lowest "
        "blocks (1 or more; the embeddings are frozen with them)."
    )
