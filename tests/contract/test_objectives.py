"""The numerics contract for every objective of pretraining, and kind of masking, beside BERT's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from unmask.batch import IGNORED, Batch
from unmask.data.loader import Source, Transform

BATCH_SIZE = 8
OBJECTIVES = (
    "mlm-words",
    "mlm-spans",
    "mlm-falling",
    "mlm+sop",
    "rtd-separate",
    "rtd-shared",
    "rtd-disentangled",
    "rtd-deberta",
    "left-to-right",
)

pytestmark = [
    pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["fp64", "fp32"]),
    pytest.mark.parametrize("objective", OBJECTIVES),
]


@dataclass(frozen=True)
class Reordered:
    """The same samples in another order within the batch."""

    source: Source

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, sample_ids: np.ndarray, epochs: np.ndarray, /) -> Batch:
        order = np.random.default_rng(1).permutation(len(sample_ids))
        return self.source.batch(sample_ids[order], epochs[order])


@dataclass(frozen=True)
class Starved:
    """Takes back the labels of every token of two thirds of the sequences."""

    transform: Transform

    def __call__(self, batch: Batch, epochs: Any, progress: float = 0.0) -> Batch:
        made = self.transform(batch, epochs, progress)
        lengths = torch.tensor(made.lengths)
        starving = torch.repeat_interleave(made.sample_ids % 3 != 0, lengths)
        labels = {
            name: label.masked_fill(starving, IGNORED) if len(label) == len(starving) else label
            for name, label in made.labels.items()
        }
        return replace(made, labels=labels)


@pytest.mark.parametrize("micro_batch_tokens", [1, 50])
def test_accumulation_and_padding_do_not_change_the_gradient(
    micro_batch_tokens: int,
    objective: str,
    dtype: torch.dtype,
    make_pretraining: Callable[..., Any],
    one_step: Callable[..., Any],
    assert_same_step: Callable[..., None],
) -> None:
    parts = vars(make_pretraining(objective))
    whole = one_step(dtype=dtype, train={"batch_size": BATCH_SIZE}, **parts)
    settings = {"batch_size": BATCH_SIZE, "micro_batch_tokens": micro_batch_tokens}

    split = one_step(dtype=dtype, train=settings, **parts)

    assert split.num_forwards > whole.num_forwards == 1
    assert_same_step(split, whole, dtype)


def test_uneven_counts_do_not_change_the_gradient(
    objective: str,
    dtype: torch.dtype,
    make_pretraining: Callable[..., Any],
    one_step: Callable[..., Any],
    assert_same_step: Callable[..., None],
) -> None:
    parts = vars(make_pretraining(objective))
    parts |= {"transform": Starved(parts["transform"])}
    whole = one_step(dtype=dtype, train={"batch_size": BATCH_SIZE}, **parts)
    settings = {"batch_size": BATCH_SIZE, "micro_batch_tokens": 30}

    assert_same_step(one_step(dtype=dtype, train=settings, **parts), whole, dtype)


def test_order_within_the_batch_does_not_change_the_gradient(
    objective: str,
    dtype: torch.dtype,
    make_pretraining: Callable[..., Any],
    one_step: Callable[..., Any],
    assert_same_step: Callable[..., None],
) -> None:
    parts = vars(make_pretraining(objective))
    settings = {"batch_size": BATCH_SIZE, "micro_batch_tokens": 50}
    in_order = one_step(dtype=dtype, train=settings, **parts)
    parts |= {"source": Reordered(parts["source"])}

    assert_same_step(one_step(dtype=dtype, train=settings, **parts), in_order, dtype)
