"""The numerics contract for losses over sentence embeddings, those that couple a batch too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from unmask.data.loader import Cursor, take
from unmask.data.loader import split as cut

from .embeddings import COUPLED, LOSSES, MIXES, parts, trained


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["fp64", "fp32"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("micro_batch_tokens", [1, 60])
def test_micro_batches_do_not_change_the_gradient(
    loss: str,
    micro_batch_tokens: int,
    dtype: torch.dtype,
    one_step: Callable[..., Any],
    assert_same_step: Callable[..., None],
) -> None:
    whole = one_step(dtype=dtype, train={"batch_size": 8}, **parts(loss))
    settings = {"batch_size": 8, "micro_batch_tokens": micro_batch_tokens}

    split = one_step(dtype=dtype, train=settings, **parts(loss))

    assert split.num_forwards > whole.num_forwards == 1
    assert_same_step(split, whole, dtype)


@pytest.mark.parametrize("loss", COUPLED)
def test_what_is_computed_again_drops_out_the_same(loss: str, one_step: Callable[..., Any]) -> None:
    """With one example a micro-batch, each draws what it draws when its vectors are kept."""
    settings = {"batch_size": 8, "micro_batch_tokens": 1}
    in_parts = parts(loss, dropout=0.2)
    torch.manual_seed(3)
    split = one_step(dtype=torch.float64, train=settings, **in_parts)
    direct = parts(loss, dropout=0.2)
    task, model = direct["task"], direct["model"].double().train()
    ids, epochs, _ = take(direct["source"], Cursor(), 8, 0)
    batch = direct["source"].batch(ids, epochs)
    torch.manual_seed(3)
    vectors = torch.cat([model(one, task)["embedding"] for one in cut(batch, 1)])
    (term,) = task.whole_loss(vectors, batch.labels, batch)
    term.total.backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(split.gradients[name], parameter.grad, rtol=0, atol=1e-10)


@pytest.mark.parametrize("losses", MIXES, ids="+".join)
def test_micro_batches_do_not_change_what_mixed_data_sets_teach(
    losses: tuple[str, ...], rehearse: Callable[..., Any]
) -> None:
    """A loss whose data set is not a step's is left alone: no weight decay, no momentum."""
    whole, told = trained(rehearse, losses, {})

    split, heard = trained(rehearse, losses, {"micro_batch_tokens": 60})

    assert any(name.startswith("losses.") for name in whole)
    torch.testing.assert_close(split, whole, rtol=0, atol=1e-9)
    assert [n["embedding_loss"] for _, n in heard] == pytest.approx(
        [n["embedding_loss"] for _, n in told], rel=1e-9
    )
