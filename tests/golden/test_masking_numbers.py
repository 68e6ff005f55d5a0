"""Stored numbers: if one changes, every stored run's masks and order of data change with it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from unmask.batch import IGNORED, Batch, pack
from unmask.data.config import MaskingConfig
from unmask.data.masking import mask_tokens
from unmask.data.randomness import Permutation

MASK = 4


def tokenizer() -> SimpleNamespace:
    return SimpleNamespace(
        special=SimpleNamespace(mask=MASK),
        is_special=np.arange(1000) < 5,
        is_continuation=np.arange(1000) >= 800,
    )


def book() -> Batch:
    """64 sequences of 126 ids that no generator's version can change."""
    ids = 5 + (np.arange(64 * 126) * 7919 % 995).reshape(64, 126)
    return pack([[2, *row, 3] for row in ids.tolist()])


@pytest.mark.parametrize(
    ("unit", "picked", "masked", "random"),
    [("token", 1216, 953, 132), ("word", 1216, 959, 122), ("span", 1216, 991, 129)],
)
def test_masking_counts_at_seed_42(unit: str, picked: int, masked: int, random: int) -> None:
    batch = mask_tokens(book(), tokenizer(), MaskingConfig(unit=unit), seed=42, epoch=3)
    labels, ids = batch.labels["mlm"], batch.input_ids
    chosen = labels != IGNORED
    is_mask = ids == MASK
    counts = (chosen.sum(), is_mask.sum(), (chosen & ~is_mask & (ids != labels)).sum())
    assert tuple(map(int, counts)) == (picked, masked, random)


def test_picked_positions_of_the_first_sequence_at_seed_42() -> None:
    labels = mask_tokens(book(), tokenizer(), seed=42).labels["mlm"][:128]
    assert labels.ne(IGNORED).nonzero().flatten().tolist() == [
        3,
        6,
        25,
        35,
        44,
        45,
        46,
        52,
        53,
        64,
        69,
        71,
        72,
        76,
        80,
        85,
        102,
        104,
        109,
    ]


def test_shuffled_order_at_seed_42() -> None:
    order = Permutation(1_000_000, seed=42, epoch=1)(np.arange(6))
    assert order.tolist() == [85012, 885966, 840864, 814794, 995277, 568337]
