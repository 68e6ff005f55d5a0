"""Many questions to a masked language model, answered a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unmask.batch import IGNORED, pack
from unmask.checkpoint.bundle import Bundle
from unmask.tasks.masked_lm import MaskedLM

BATCH_TOKENS = 4096
"""Tokens of one forward pass; a longer sequence goes alone."""
BATCH_SCORES = 1 << 24
"""Scores (asked positions times vocabulary) of one forward pass, 64 MB in float32."""


@dataclass(frozen=True)
class Cloze:
    """One sequence, and the positions in it whose tokens are asked for."""

    text: int
    """Which of the caller's texts it comes from."""
    input_ids: list[int]
    """Specials and masks in place."""
    asked: list[int]
    """Ascending positions, at least one."""


def answers(bundle: Bundle, clozes: Iterable[Cloze]) -> Iterator[tuple[list[Cloze], Tensor]]:
    """The clozes of each batch, and (M, V) logits for their asked positions, in order.

    Call it within `answering`. Clozes are taken as they come: sort them by length, so that each
    batch is dense. The logits are at least float32, on the model's device; reduce them at once.
    """
    device = next(bundle.model.parameters()).device
    for members in _cut(clozes, bundle.config.vocab_size):
        batch = pack([cloze.input_ids for cloze in members])
        rows = [
            start + position
            for start, cloze in zip(batch.starts().tolist(), members, strict=True)
            for position in cloze.asked
        ]
        labels = torch.full_like(batch.input_ids, IGNORED)
        labels[rows] = 0  # any label makes a position asked
        asking = replace(batch, labels={"mlm": labels}).to(device)
        logits = bundle.model(asking, MaskedLM())["mlm"]  # (M, V)
        yield members, logits.to(torch.promote_types(logits.dtype, torch.float32))


def _cut(clozes: Iterable[Cloze], vocab_size: int) -> Iterator[list[Cloze]]:
    """Runs of clozes that stay within both budgets, or hold a single cloze."""
    members: list[Cloze] = []
    num_tokens = num_scores = 0
    for cloze in clozes:
        tokens, scores = len(cloze.input_ids), len(cloze.asked) * vocab_size
        full = num_tokens + tokens > BATCH_TOKENS or num_scores + scores > BATCH_SCORES
        if members and full:
            yield members
            members, num_tokens, num_scores = [], 0, 0
        members.append(cloze)
        num_tokens += tokens
        num_scores += scores
    if members:
        yield members
