from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from unmask.batch import IGNORED, pack


def test_packing_lays_sequences_end_to_end_and_counts_positions_anew() -> None:
    batch = pack([[2, 7, 3], [2, 3], [9]])

    assert batch.input_ids.tolist() == [2, 7, 3, 2, 3, 9]
    assert batch.position_ids.tolist() == [0, 1, 2, 0, 1, 0]
    assert batch.token_type_ids.tolist() == [0] * 6
    assert (batch.lengths, batch.num_tokens) == ((3, 2, 1), 6)
    assert batch.starts().tolist() == [0, 3, 5]
    assert batch.sample_ids.tolist() == [0, 1, 2]
    assert {t.dtype for t in (batch.input_ids, batch.position_ids, batch.starts())} == {torch.int64}


def test_packing_takes_segments_and_sample_numbers() -> None:
    batch = pack([[2, 7], [5]], token_type_ids=[[0, 1], [1]], sample_ids=[40, 8])

    assert batch.token_type_ids.tolist() == [0, 1, 1]
    assert batch.sample_ids.tolist() == [40, 8]


def test_a_batch_cannot_be_changed() -> None:
    batch = pack([[1]])

    with pytest.raises(FrozenInstanceError):
        batch.lengths = (2,)  # type: ignore[misc]


def test_moving_takes_every_tensor_along() -> None:
    labels = {"mlm": torch.tensor([IGNORED, 4]), "nsp": torch.tensor([1])}
    batch = replace(pack([[1, 4]]), labels=labels)

    moved = batch.to(torch.device("meta"))

    tensors = [moved.input_ids, moved.token_type_ids, moved.position_ids, moved.sample_ids]
    assert {t.device.type for t in [*tensors, *moved.labels.values(), moved.starts()]} == {"meta"}
    assert moved.lengths == batch.lengths
    assert batch.labels["mlm"].device.type == "cpu"
