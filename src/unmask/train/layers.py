"""What of an encoder is trained, and how fast, from the embeddings up to the head."""

from __future__ import annotations

import re

import torch

from unmask.errors import UsageError
from unmask.nn.init import initialise
from unmask.tasks.task import Model

_BLOCK = re.compile(r"encoder\.blocks\.(\d+)\.")


def freeze(model: Model, what: str) -> int:
    """Takes the encoder, its embeddings, or these and its N lowest blocks out of training.

    Returns:
        How many numbers are not trained.

    Raises:
        UsageError: Neither "encoder", "embeddings" nor a number of blocks that there are.
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
        UsageError: The encoder has fewer.
    """
    there = len(model.encoder.blocks)
    if num_blocks > there:
        raise UsageError(f"reinitialise: {num_blocks} top blocks, but the encoder has {there}.")
    for block in model.encoder.blocks[there - num_blocks :]:
        initialise(block, standard_deviation, generator)


def rate_scales(model: Model, layer_decay: float) -> dict[str, float]:
    """By parameter name, what its learning rate is multiplied by.

    The head and the top block have 1, every block below `layer_decay` times the one above it, the
    embeddings come last.
    """
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


def _frozen_blocks(model: Model, what: str) -> int:
    """The lowest depth that is trained."""
    there = len(model.encoder.blocks)
    if what == "encoder":
        return 2**31 + 1
    if what == "embeddings":
        return 1
    if what.isdecimal() and 1 <= int(what) <= there:
        return int(what) + 1
    raise UsageError(
        f"--freeze {what}: expected `encoder`, `embeddings`, or how many of the {there} lowest "
        "blocks (1 or more; the embeddings are frozen with them)."
    )
