from __future__ import annotations

import doctest
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from unmask.batch import IGNORED, Batch, pack
from unmask.nn.masked_lm_head import MaskedLMHead
from unmask.tasks import masked_lm
from unmask.tasks.masked_lm import MaskedLM, loss, picked
from unmask.tasks.task import Model

ALONE, WITH_PAIRS = MaskedLM(), MaskedLM(next_sentence=True)


@pytest.fixture
def model(make_model: Callable[..., Model]) -> Model:
    return make_model(next_sentence=True).double().eval()


def labelled(labels: list[list[int]], nsp: list[int] | None = None) -> Batch:
    """Sequences of arbitrary ids with these labels, 0 standing for none."""
    batch = pack([[2, *(9 + i for i in range(1, len(row)))] for row in labels])
    flat = torch.tensor([label or IGNORED for row in labels for label in row])
    found = {"mlm": flat}
    return replace(batch, labels=found if nsp is None else {**found, "nsp": torch.tensor(nsp)})


BATCH = labelled([[0, 9, 0, 7], [0, 0, 5], [0, 0]], nsp=[1, IGNORED, 0])


def test_counts_come_from_the_labels_alone() -> None:
    assert ALONE.counts(BATCH) == {"mlm": 3}
    assert WITH_PAIRS.counts(BATCH) == {"mlm": 3, "nsp": 2}


def test_rows_are_the_picked_positions_and_the_first_of_each_pair() -> None:
    assert picked(BATCH).tolist() == ALONE.rows(BATCH).tolist() == [1, 3, 6]
    assert WITH_PAIRS.rows(BATCH).tolist() == [0, 1, 3, 4, 6, 7]


def test_the_losses_are_sums_of_torchs_cross_entropy(model: Model) -> None:
    hidden = model.encoder(BATCH)
    logits = model.heads["mlm"](hidden)  # (N, V)
    judged = model.heads["nsp"](hidden[BATCH.starts()])

    mlm, nsp = WITH_PAIRS.loss(model(BATCH, WITH_PAIRS), BATCH)

    expected = functional.cross_entropy(logits, BATCH.labels["mlm"], reduction="sum")
    torch.testing.assert_close(mlm.total, expected, rtol=1e-10, atol=1e-10)
    expected = functional.cross_entropy(judged, BATCH.labels["nsp"], reduction="sum")
    torch.testing.assert_close(nsp.total, expected, rtol=1e-10, atol=1e-10)
    assert [(term.name, term.weight) for term in (mlm, nsp)] == [("mlm", 1.0), ("nsp", 1.0)]


def test_pairs_change_nothing_about_the_masked_words(model: Model) -> None:
    torch.testing.assert_close(
        model(BATCH, ALONE)["mlm"], model(BATCH, WITH_PAIRS)["mlm"], rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("task", [ALONE, WITH_PAIRS], ids=["alone", "with pairs"])
def test_only_picked_positions_are_projected_onto_the_vocabulary(
    task: MaskedLM, model: Model
) -> None:
    seen: list[tuple[int, ...]] = []
    head = model.heads["mlm"]
    assert isinstance(head, MaskedLMHead)
    for part in (head.transform, head.decoder):
        part.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))

    outputs = task.outputs(model.heads, model.encoder(BATCH, task.rows(BATCH)), BATCH)

    assert seen == [(3, 32), (3, 32)]
    assert outputs["mlm"].shape == (3, 64)


def test_a_batch_without_labels_has_a_loss_of_zero_that_can_be_differentiated(
    model: Model,
) -> None:
    batch = labelled([[0, 0, 0], [0, 0]], nsp=[IGNORED, IGNORED])

    terms = WITH_PAIRS.loss(model(batch, WITH_PAIRS), batch)
    torch.stack([term.total for term in terms]).sum().backward()

    assert [term.total.item() for term in terms] == [0.0, 0.0]
    assert WITH_PAIRS.counts(batch) == {"mlm": 0, "nsp": 0}
    assert all(p.grad is not None and p.grad.eq(0).all() for p in model.parameters())


def test_hits_count_where_the_highest_score_is_the_label() -> None:
    mlm = functional.one_hot(torch.tensor([9, 1, 5]), 64).float()  # labels are 9, 7, 5
    nsp = torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])  # labels are 1, none, 0

    assert ALONE.hits({"mlm": mlm}, BATCH) == {"mlm": 2}
    assert WITH_PAIRS.hits({"mlm": mlm, "nsp": nsp}, BATCH) == {"mlm": 2, "nsp": 1}


def test_perfect_scores_lose_nothing() -> None:
    mlm = 1e4 * functional.one_hot(torch.tensor([9, 7, 5]), 64).float()

    (term,) = ALONE.loss({"mlm": mlm}, BATCH)

    assert term.total.item() == 0.0
    assert ALONE.hits({"mlm": mlm}, BATCH) == ALONE.counts(BATCH)


def test_half_precision_scores_are_summed_in_float32() -> None:
    count = 20_000
    batch = labelled([[1] * count])
    logits = torch.zeros(count, 8, dtype=torch.bfloat16)

    (term,) = ALONE.loss({"mlm": logits}, batch)

    assert term.total.dtype == torch.float32
    assert term.total.item() / count == pytest.approx(2.0794415, rel=1e-5)  # ln 8


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_mean_loss_reads_all_or_only_the_picked_scores(dtype: torch.dtype) -> None:
    logits = torch.randn(9, 64, generator=torch.Generator().manual_seed(0)).to(dtype)
    rows = picked(BATCH)
    (term,) = ALONE.loss({"mlm": logits[rows]}, BATCH)

    means: list[Tensor] = [loss(logits, BATCH), loss(logits[rows], BATCH)]

    for mean in means:
        assert mean.dtype == dtype
        torch.testing.assert_close(
            mean, term.total / 3, rtol=1e-6 if dtype.itemsize < 8 else 1e-12, atol=0.0
        )


def test_the_decoder_is_the_token_embedding(model: Model) -> None:
    head: Any = model.heads["mlm"]

    assert head.decoder.weight is model.get_submodule("encoder.embedding.tokens").weight
    assert head.decoder.bias.shape == (64,)


def test_the_worked_example_holds() -> None:
    found = doctest.testmod(masked_lm)

    assert (found.failed, found.attempted) == (0, 4)
