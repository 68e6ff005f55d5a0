"""Raw scores of examples, however many: encoded in bulk, packed by length, merged, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.data.windows import Window, collate
from unmask.tasks.task import LabelledTask, Model
from unmask.text.tokenizer import Tokenizer

BATCH_TOKENS = 4096
"""Tokens of one forward pass; a longer sequence goes alone."""
_EXAMPLES_AT_ONCE = 2048
_CHARACTERS_AT_ONCE = 1 << 22
"""Most examples, and about how much text, encoded, sorted by length and held together."""

_Example = TypeVar("_Example")
_Scores = TypeVar("_Scores")


@contextmanager
def answering(model: Model) -> Iterator[None]:
    """Evaluation mode without gradients; a model in training goes back to training."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


def raw_scores(
    model: Model,
    task: LabelledTask[_Example, _Scores],
    examples: Iterable[_Example],
    tokenizer: Tokenizer,
    longest: int,
) -> Iterator[tuple[_Example, _Scores]]:
    """Each example with its scores, in the order given; reads some thousand examples ahead.

    `longest` is the most tokens that the model reads.
    """
    for chunk in _chunks(examples):
        windows = task.encode(chunk, tokenizer, longest)
        with answering(model):
            results = _results(model, task, [window for parts in windows for window in parts])
        start = 0
        for example, parts in zip(chunk, windows, strict=True):
            yield example, task.merge(example, parts, results[start : start + len(parts)])
            start += len(parts)


def scored(
    model: Model,
    task: LabelledTask[_Example, _Scores],
    examples: Iterable[_Example],
    tokenizer: Tokenizer,
    longest: int,
) -> list[_Scores]:
    """The scores alone, all held at once."""
    return [scores for _, scores in raw_scores(model, task, examples, tokenizer, longest)]


def _chunks(examples: Iterable[_Example]) -> Iterator[list[_Example]]:
    chunk: list[_Example] = []
    size = 0
    for example in examples:
        chunk.append(example)
        for name in getattr(example, "__dataclass_fields__", ()):
            value = getattr(example, name)
            several = value if isinstance(value, tuple) else (value,)
            size += sum(len(one) for one in several if isinstance(one, str))
        if len(chunk) == _EXAMPLES_AT_ONCE or size > _CHARACTERS_AT_ONCE:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _results(
    model: Model, task: LabelledTask[_Example, _Scores], windows: Sequence[Window]
) -> list[NDArray[np.float32]]:
    """The scores of each window, in the order given."""
    device = next(model.parameters()).device
    results: dict[int, NDArray[np.float32]] = {}
    for members in _batches(windows):
        batch = collate([windows[i] for i in members]).to(device)
        results.update(zip(members, task.results(model(batch, task), batch), strict=True))
    return [results[i] for i in range(len(windows))]


def _batches(windows: Sequence[Window]) -> Iterator[list[int]]:
    """Window numbers, longest first, in batches of at most `BATCH_TOKENS`."""
    members: list[int] = []
    num_tokens = 0
    for i in sorted(range(len(windows)), key=lambda i: -len(windows[i].input_ids)):
        size = len(windows[i].input_ids)
        if members and num_tokens + size > BATCH_TOKENS:
            yield members
            members, num_tokens = [], 0
        members.append(i)
        num_tokens += size
    if members:
        yield members
