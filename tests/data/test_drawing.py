from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
from scipy.stats import kstest

from unmask.batch import IGNORED, Batch, pack
from unmask.data.config import MaskingConfig
from unmask.data.drawing import DRAW, MaskerAndDraws
from unmask.data.masking import Masker

VOCABULARY = SimpleNamespace(
    special=SimpleNamespace(mask=4),
    is_special=np.arange(64) < 5,
    is_continuation=np.zeros(64, dtype=bool),
)


def drawn(sample_ids: list[int], *, epoch: int = 0, seed: int = 0, length: int = 40) -> Batch:
    """Sequences whose tokens follow from their numbers, masked, with numbers to draw by."""
    rows = [[2, *(5 + (i * 7 + j) % 59 for j in range(length - 2)), 3] for i in sample_ids]
    batch = pack(rows, sample_ids=sample_ids)
    transform = MaskerAndDraws(Masker(VOCABULARY, MaskingConfig(rate=0.3), seed), seed)
    return transform(batch, np.full(len(sample_ids), epoch))


def by_sample(batch: Batch) -> dict[int, list[float]]:
    parts = batch.labels[DRAW].split(list(batch.lengths))
    return {i: p.tolist() for i, p in zip(batch.sample_ids.tolist(), parts, strict=True)}


def test_picked_positions_alone_have_numbers_and_these_are_uniform() -> None:
    batch = drawn(list(range(400)))

    picked = batch.labels["mlm"] != IGNORED
    numbers = batch.labels[DRAW]
    assert (numbers[~picked] == IGNORED).all()
    assert ((numbers[picked] >= 0) & (numbers[picked] <= 1)).all()
    assert kstest(numbers[picked].numpy(), "uniform").pvalue > 0.001
    assert len(numbers[picked].unique()) > 0.99 * int(picked.sum())


def test_the_numbers_depend_on_neither_neighbours_nor_order() -> None:
    alone = by_sample(drawn([3])) | by_sample(drawn([8]))

    together = by_sample(drawn([8, 1, 3]))

    assert {i: together[i] for i in (3, 8)} == alone


def test_seed_epoch_and_sample_change_the_numbers() -> None:
    numbers = [
        by_sample(drawn([sample], epoch=epoch, seed=seed))[sample]
        for sample, epoch, seed in ((0, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0))
    ]

    kept = [{number for number in some if number != IGNORED} for some in numbers]
    for i, one in enumerate(kept):
        assert one
        assert all(one.isdisjoint(other) for other in kept[i + 1 :])


def test_masks_are_those_of_the_masker_alone() -> None:
    sample_ids = [0, 1, 2]
    rows = [[2, *range(5, 40), 3] for _ in sample_ids]
    batch, epochs = pack(rows, sample_ids=sample_ids), np.zeros(3, dtype=np.int64)
    masker = Masker(VOCABULARY, MaskingConfig(), 7)

    both, masked = MaskerAndDraws(masker, 7)(batch, epochs), masker(batch, epochs)

    assert torch.equal(both.input_ids, masked.input_ids)
    assert torch.equal(both.labels["mlm"], masked.labels["mlm"])
