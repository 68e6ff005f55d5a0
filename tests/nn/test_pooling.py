"""Every way of pooling against sentence-transformers', packed instead of padded."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sentence_transformers.sentence_transformer.modules import Pooling as Theirs

from unmask.nn import pooling
from unmask.nn.pooling import Joined, Pooling

LENGTHS = (5, 1, 7, 3)
WAYS: dict[str, type[Pooling]] = {
    "cls": pooling.First,
    "max": pooling.Max,
    "mean": pooling.Mean,
    "mean_sqrt_len_tokens": pooling.MeanBySquareRoot,
    "weightedmean": pooling.WeightedMean,
    "lasttoken": pooling.Last,
}


def padded(hidden: torch.Tensor) -> dict[str, Any]:
    rows = hidden.split(LENGTHS)
    mask = torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.int64)
    filled = torch.full((len(LENGTHS), max(LENGTHS), hidden.shape[1]), 9.0)
    for i, row in enumerate(rows):
        mask[i, : len(row)] = 1
        filled[i, : len(row)] = row
    return {"token_embeddings": filled, "attention_mask": mask}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("skipped", [0, 2])
def test_each_way_is_sentence_transformers(way: str, skipped: int) -> None:
    hidden = torch.randn(sum(LENGTHS), 6, generator=torch.Generator().manual_seed(0))
    theirs = Theirs(6, way, include_prompt=not skipped)
    features = {**padded(hidden), "prompt_length": skipped}
    expected = theirs(features)["sentence_embedding"]

    found = WAYS[way]()(hidden, LENGTHS, skipped)

    longer = [i for i, length in enumerate(LENGTHS) if length > skipped]
    torch.testing.assert_close(found[longer], expected[longer], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_a_sequence_of_nothing_but_prompt_is_pooled_whole(way: str) -> None:
    """Theirs gives zeros, or minus infinity, for which no text compares."""
    hidden = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    pool = WAYS[way]()
    assert torch.equal(pool(hidden, (4,), 4), pool(hidden, (4,), 0))


def test_several_are_joined_in_order() -> None:
    hidden = torch.randn(sum(LENGTHS), 6)
    joined = Joined([pooling.Mean(), pooling.First()])(hidden, LENGTHS, 0)
    expected = Theirs(6, ("mean", "cls"))(padded(hidden))["sentence_embedding"]
    torch.testing.assert_close(joined, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_half_precision_is_added_up_in_single(way: str) -> None:
    hidden = torch.full((600, 2), 0.1).bfloat16()
    found = WAYS[way]()(hidden, (600,), 0)
    assert found.dtype is torch.bfloat16
    expected = WAYS[way]()(hidden.float(), (600,), 0)
    torch.testing.assert_close(found.float(), expected, rtol=4e-3, atol=0)
