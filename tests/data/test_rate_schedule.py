"""A rate that moves over a run: a pure function of the sample and of the run's progress."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from unmask.batch import IGNORED, Batch, pack
from unmask.data.config import MaskingConfig
from unmask.data.loader import Cursor, step_batches
from unmask.data.masking import Masker

VOCABULARY = SimpleNamespace(
    special=SimpleNamespace(mask=4),
    is_special=np.arange(64) < 5,
    is_continuation=np.zeros(64, dtype=bool),
)
FALLING = MaskingConfig(rate=0.3, final_rate=0.1)


class Source:
    """Sequences of a hundred ordinary tokens."""

    def __len__(self) -> int:
        return 32

    def batch(self, sample_ids: np.ndarray, _epochs: np.ndarray, /) -> Batch:
        rows = [[2, *(5 + (i + j) % 59 for j in range(100)), 3] for i in sample_ids.tolist()]
        return pack(rows, sample_ids=sample_ids.tolist())


def masked(progress: float, config: MaskingConfig = FALLING, epoch: int = 0) -> list[set[int]]:
    """The picked positions of each of four sequences."""
    sample_ids = np.arange(4)
    batch = Source().batch(sample_ids, sample_ids * 0)
    labels = Masker(VOCABULARY, config, 0)(batch, epoch, progress).labels["mlm"]
    parts = labels.split(list(batch.lengths))
    return [set((part != IGNORED).nonzero().squeeze(1).tolist()) for part in parts]


@pytest.mark.parametrize(("progress", "number"), [(0.0, 30), (0.25, 25), (0.5, 20), (1.0, 10)])
def test_the_rate_moves_in_proportion_to_the_progress(progress: float, number: int) -> None:
    assert [len(picked) for picked in masked(progress)] == [number] * 4


def test_a_rate_may_rise_too() -> None:
    rising = MaskingConfig(rate=0.1, final_rate=0.8)

    assert [len(picked) for picked in masked(1.0, rising)] == [80] * 4


def test_without_a_final_rate_progress_changes_nothing() -> None:
    assert masked(0.0, MaskingConfig()) == masked(0.7, MaskingConfig())


def test_fewer_positions_are_a_part_of_the_more() -> None:
    for less, more in zip(masked(0.9), masked(0.1), strict=True):
        assert less < more


def test_static_masks_keep_their_order_while_the_rate_moves() -> None:
    static = MaskingConfig(rate=0.3, final_rate=0.1, dynamic=False)

    assert masked(0.5, static, epoch=3) == masked(0.5, static, epoch=0)


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_each_process_masks_by_the_progress_that_all_know(world_size: int) -> None:
    found: dict[int, torch.Tensor] = {}
    for rank in range(world_size):
        batches, _ = step_batches(
            Source(),
            Cursor(),
            batch_size=6,
            micro_batch_tokens=150,
            seed=0,
            transform=Masker(VOCABULARY, FALLING, 0),
            progress=0.5,
            rank=rank,
            world_size=world_size,
        )
        for batch in batches:
            parts = batch.labels["mlm"].split(list(batch.lengths))
            found |= dict(zip(batch.sample_ids.tolist(), parts, strict=True))

    assert len(found) == 6
    assert {int((labels != IGNORED).sum()) for labels in found.values()} == {20}
    whole = Source().batch(np.array(sorted(found)), np.zeros(6, dtype=np.int64))
    expected = Masker(VOCABULARY, FALLING, 0)(whole, 0, 0.5).labels["mlm"]
    assert torch.equal(torch.cat([found[i] for i in sorted(found)]), expected)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1])
def test_final_rates_outside_of_zero_and_one_are_refused(rate: float) -> None:
    with pytest.raises(ValidationError, match="final_rate"):
        MaskingConfig(final_rate=rate)
