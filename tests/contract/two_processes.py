"""Run by torchrun, in each of two processes: not collected by itself (see test_processes.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from unmask.data.loader import Source
from unmask.tasks.task import Model
from unmask.train.distributed import World

from .embeddings import LOSSES, MIXES, parts, trained


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["fp64", "fp32"])
@pytest.mark.parametrize("next_sentence", [False, True], ids=["mlm", "mlm+nsp"])
@pytest.mark.parametrize("batch_size", [8, 7])
@pytest.mark.parametrize("micro_batch_tokens", [8192, 30])
def test_two_processes_give_the_gradient_of_one(
    batch_size: int,
    micro_batch_tokens: int,
    next_sentence: bool,
    dtype: torch.dtype,
    both: World,
    make_model: Callable[..., Model],
    make_sentences: Callable[..., Source],
    one_step: Callable[..., Any],
    assert_same_step: Callable[..., None],
) -> None:
    assert both.size == 2
    source = make_sentences(pairs=next_sentence)
    settings = {"batch_size": batch_size}
    model = make_model(next_sentence=next_sentence)
    alone = one_step(model, dtype, source=source, train=settings)
    settings["micro_batch_tokens"] = micro_batch_tokens

    shared = one_step(model, dtype, source=source, train=settings, world=both)

    assert shared.num_forwards == 1 or micro_batch_tokens < 8192
    assert_same_step(shared, alone, dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["fp64", "fp32"])
@pytest.mark.parametrize(
    "objective",
    [
        "mlm-words",
        "mlm-spans",
        "mlm-falling",
        "mlm+sop",
        "rtd-separate",
        "rtd-shared",
        "rtd-disentangled",
        "rtd-deberta",
        "left-to-right",
    ],
)
def test_two_processes_give_the_gradient_of_one_by_any_objective(
    objective: str,
    dtype: torch.dtype,
    both: World,
    make_pretraining: Callable[..., Any],
    one_step: Callable[..., Any],
    assert_same_step: Callable[..., None],
) -> None:
    parts = vars(make_pretraining(objective))
    alone = one_step(dtype=dtype, train={"batch_size": 7}, **parts)
    settings = {"batch_size": 7, "micro_batch_tokens": 30}

    shared = one_step(dtype=dtype, train=settings, world=both, **parts)

    assert shared.num_forwards > 1
    assert_same_step(shared, alone, dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["fp64", "fp32"])
@pytest.mark.parametrize("micro_batch_tokens", [8192, 30])
def test_two_processes_give_the_gradient_of_one_for_lists_of_uneven_length(
    micro_batch_tokens: int,
    dtype: torch.dtype,
    both: World,
    uneven_lists: Callable[[], dict[str, Any]],
    one_step: Callable[..., Any],
    assert_same_step: Callable[..., None],
) -> None:
    alone = one_step(dtype=dtype, train={"batch_size": 7}, **uneven_lists())
    settings = {"batch_size": 7, "micro_batch_tokens": micro_batch_tokens}

    shared = one_step(dtype=dtype, train=settings, world=both, **uneven_lists())

    assert shared.num_forwards == 1 or micro_batch_tokens < 8192
    assert_same_step(shared, alone, dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["fp64", "fp32"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("micro_batch_tokens", [8192, 60])
def test_two_processes_give_the_gradient_of_one_for_losses_over_embeddings(
    loss: str,
    micro_batch_tokens: int,
    dtype: torch.dtype,
    both: World,
    one_step: Callable[..., Any],
    assert_same_step: Callable[..., None],
) -> None:
    alone = one_step(dtype=dtype, train={"batch_size": 7}, **parts(loss, batch_size=7))
    settings = {"batch_size": 7, "micro_batch_tokens": micro_batch_tokens}

    shared = one_step(dtype=dtype, train=settings, world=both, **parts(loss, batch_size=7))

    assert shared.num_forwards == 1 or micro_batch_tokens < 8192
    assert_same_step(shared, alone, dtype)


@pytest.mark.parametrize("losses", MIXES, ids="+".join)
@pytest.mark.parametrize("micro_batch_tokens", [8192, 60])
def test_two_processes_learn_from_mixed_data_sets_what_one_does(
    losses: tuple[str, ...],
    micro_batch_tokens: int,
    both: World,
    rehearse: Callable[..., Any],
) -> None:
    alone, told = trained(rehearse, losses, {})
    settings = {"micro_batch_tokens": micro_batch_tokens}

    shared, heard = trained(rehearse, losses, settings, world=both)

    assert any(name.startswith("losses.") for name in alone)
    torch.testing.assert_close(shared, alone, rtol=0, atol=1e-9)
    assert [n["embedding_loss"] for _, n in heard] == pytest.approx(
        [n["embedding_loss"] for _, n in told], rel=1e-9
    )
