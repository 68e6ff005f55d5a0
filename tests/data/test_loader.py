from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.batch import IGNORED, Batch, pack
from unmask.data.config import MaskingConfig
from unmask.data.loader import Cursor, split, step_batches, take
from unmask.data.masking import Masker
from unmask.errors import DataError, UsageError


@dataclass(frozen=True)
class Numbered:
    """Sample i is `2 + i % 5` tokens of id `10 + i`, with a label per sequence: its epoch."""

    size: int

    def __len__(self) -> int:
        return self.size

    def batch(self, sample_ids: np.ndarray, epochs: np.ndarray, /) -> Batch:
        sequences = [[10 + i] * (2 + i % 5) for i in sample_ids.tolist()]
        batch = pack(sequences, sample_ids=sample_ids.tolist())
        return replace(batch, labels={"epoch": torch.from_numpy(epochs)})


def unchanged(batch: Batch, epochs: np.ndarray, _progress: float) -> Batch:
    assert len(batch.lengths) == len(epochs)
    return batch


def masker() -> Masker:
    vocabulary = SimpleNamespace(
        special=SimpleNamespace(mask=4),
        is_special=np.arange(500) < 5,
        is_continuation=np.zeros(500, dtype=bool),
    )
    return Masker(vocabulary, MaskingConfig(rate=0.4), seed=1)


def contents(batches: list[Batch]) -> list[tuple[object, ...]]:
    """Everything about each sequence, in order."""
    found: list[tuple[object, ...]] = []
    for batch in batches:
        tokens = [batch.input_ids, batch.token_type_ids, batch.position_ids]
        tokens += [batch.labels["mlm"]] if "mlm" in batch.labels else []
        split_tokens = [[p.tolist() for p in t.split(list(batch.lengths))] for t in tokens]
        found += zip(
            batch.sample_ids.tolist(), batch.labels["epoch"].tolist(), *split_tokens, strict=True
        )
    return found


def samples(batches: list[Batch]) -> list[int]:
    return [i for batch in batches for i in batch.sample_ids.tolist()]


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 30), draws=st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_every_epoch_takes_every_sample_once_however_it_is_cut(size: int, draws: list[int]) -> None:
    source, cursor = Numbered(size), Cursor()
    taken: list[tuple[int, int]] = []
    for num_samples in draws:
        sample_ids, epochs, cursor = take(source, cursor, num_samples, seed=0)
        taken += zip(epochs.tolist(), sample_ids.tolist(), strict=True)
    assert (cursor.epoch, cursor.sample) == divmod(sum(draws), size)
    assert len(set(taken)) == len(taken)
    for epoch in range(cursor.epoch):
        assert sorted(i for e, i in taken if e == epoch) == list(range(size))
    at_once = take(source, Cursor(), sum(draws), seed=0)
    assert taken == list(zip(at_once[1].tolist(), at_once[0].tolist(), strict=True))


def test_a_cursor_is_all_that_a_resumed_run_needs() -> None:
    source = Numbered(50)
    _, _, middle = take(source, Cursor(), 33, seed=7)
    resumed = take(Numbered(50), Cursor(middle.epoch, middle.sample), 40, seed=7)
    whole = take(source, Cursor(), 73, seed=7)
    assert resumed[0].tolist() == whole[0][33:].tolist()
    assert resumed[2] == whole[2] == Cursor(1, 23)


def test_the_order_is_shuffled_by_seed_and_epoch() -> None:
    sample_ids, _, _ = take(Numbered(40), Cursor(), 80, seed=0)
    first, second = sample_ids[:40].tolist(), sample_ids[40:].tolist()
    other = take(Numbered(40), Cursor(), 40, seed=1)[0].tolist()
    assert list(range(40)) not in (first, second, other)
    assert first != second
    assert first != other


def test_a_step_holds_the_whole_batch_across_the_end_of_an_epoch() -> None:
    source = Numbered(10)
    batches, cursor = step_batches(
        source,
        Cursor(0, 7),
        batch_size=8,
        micro_batch_tokens=1000,
        seed=0,
        transform=unchanged,
    )
    assert cursor == Cursor(1, 5)
    assert len(batches) == 1
    assert batches[0].labels["epoch"].tolist() == [0] * 3 + [1] * 5
    sample_ids, _, _ = take(source, Cursor(0, 7), 8, seed=0)
    assert samples(batches) == sample_ids.tolist()


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_together_take_what_one_alone_takes(world_size: int) -> None:
    source, transform = Numbered(23), masker()

    def step(rank: int, processes: int) -> tuple[list[tuple[object, ...]], Cursor]:
        batches, after = step_batches(
            source,
            Cursor(0, 15),
            batch_size=16,
            micro_batch_tokens=12,
            seed=3,
            transform=transform,
            rank=rank,
            world_size=processes,
        )
        return contents(batches), after

    alone, after = step(0, 1)
    for rank in range(world_size):
        shared, shared_after = step(rank, world_size)
        assert shared == alone[rank::world_size]
        assert shared_after == after


@pytest.mark.parametrize("micro_batch_tokens", [1, 7, 20, 10_000])
def test_micro_batches_change_nothing_but_the_grouping(micro_batch_tokens: int) -> None:
    def step(tokens: int) -> list[Batch]:
        return step_batches(
            Numbered(40),
            Cursor(0, 35),
            batch_size=12,
            micro_batch_tokens=tokens,
            seed=0,
            transform=masker(),
        )[0]

    batches = step(micro_batch_tokens)
    assert contents(batches) == contents(step(10**9))
    assert all(b.num_tokens <= micro_batch_tokens or len(b.lengths) == 1 for b in batches)
    # Greedy: no group could have taken the first sequence of the next one.
    for batch, following in pairwise(batches):
        assert batch.num_tokens + following.lengths[0] > micro_batch_tokens


def test_a_transform_of_micro_batches_equals_that_of_the_whole_step() -> None:
    source, transform = Numbered(40), masker()
    sample_ids, epochs, _ = take(source, Cursor(0, 36), 10, seed=0)
    whole = source.batch(sample_ids, epochs)
    parts = [transform(part, part.labels["epoch"].numpy()) for part in split(whole, 9)]
    assert len(parts) > 3
    assert contents(parts) == contents([transform(whole, epochs)])


def test_masks_change_between_epochs_of_one_step() -> None:
    transform = masker()
    batches, _ = step_batches(
        Numbered(1),
        Cursor(),
        batch_size=30,
        micro_batch_tokens=1000,
        seed=0,
        transform=transform,
    )
    picked = batches[0].labels["mlm"].reshape(30, 2).ne(IGNORED).tolist()
    assert batches[0].labels["epoch"].tolist() == list(range(30))
    assert {tuple(part) for part in picked} == {(True, False), (False, True)}


def test_a_split_of_no_sequences_is_empty() -> None:
    assert split(pack([]), 10) == []


def test_more_processes_than_sequences_are_refused() -> None:
    with pytest.raises(UsageError, match="batch_size is 3 for 4 processes"):
        step_batches(
            Numbered(10),
            Cursor(),
            batch_size=3,
            micro_batch_tokens=10,
            seed=0,
            transform=unchanged,
            world_size=4,
        )


def test_an_empty_source_is_refused() -> None:
    with pytest.raises(DataError, match="holds no sample"):
        take(Numbered(0), Cursor(), 1, seed=0)
