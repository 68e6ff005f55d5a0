from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from unmask.data.loader import split
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.task import Model
from unmask.train.evaluate import evaluate


@pytest.fixture
def held_out(rehearse: Callable[..., Any], make_model: Callable[..., Model]) -> Any:
    """One batch of eight uneven pairs, masked."""
    (batch,) = rehearse(model=make_model(next_sentence=True)).held_out
    return batch


def test_scores_are_means_over_all_batches_together(
    held_out: Any, make_model: Callable[..., Model]
) -> None:
    model, task = make_model(next_sentence=True), MaskedLM(next_sentence=True)

    whole = evaluate(model, task, [held_out])
    parts = evaluate(model, task, split(held_out, 40))

    assert len(split(held_out, 40)) > 2
    assert whole == pytest.approx(parts, rel=1e-5)
    with torch.no_grad():
        logits = model.eval()(held_out, task)["mlm"]
    labels = held_out.labels["mlm"][held_out.labels["mlm"] >= 0]
    right = (logits.argmax(-1) == labels).float().mean().item()
    expected = torch.nn.functional.cross_entropy(logits, labels).item()
    assert whole["mlm_loss"] == pytest.approx(expected, rel=1e-5)
    assert whole["mlm_accuracy"] == pytest.approx(right)
    assert whole["mlm_pseudo_perplexity"] == pytest.approx(math.exp(expected), rel=1e-4)
    assert set(whole) == {
        *("mlm_loss", "mlm_accuracy", "mlm_pseudo_perplexity", "nsp_loss", "nsp_accuracy")
    }


@pytest.mark.parametrize("training", [True, False])
def test_evaluating_drops_nothing_and_leaves_the_mode_as_it_was(
    training: bool, held_out: Any, make_model: Callable[..., Model]
) -> None:
    model, task = make_model(hidden_dropout_prob=0.5), MaskedLM()
    model.train(training)

    first, second = (evaluate(model, task, [held_out]) for _ in range(2))

    assert first == second
    assert model.training is training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_an_uninformed_model_hesitates_between_all_tokens(
    held_out: Any, make_model: Callable[..., Model]
) -> None:
    model = make_model()
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)

    scores = evaluate(model, MaskedLM(), [held_out])

    assert scores["mlm_pseudo_perplexity"] == pytest.approx(64.0, rel=1e-5)


def test_batches_without_labels_score_nothing(
    held_out: Any, make_model: Callable[..., Model]
) -> None:
    nothing = torch.full_like(held_out.labels["mlm"], -100)
    batch = replace(held_out, labels={"mlm": nothing})

    scores = evaluate(make_model(), MaskedLM(), [batch])

    assert scores == {"mlm_loss": 0.0, "mlm_accuracy": 0.0, "mlm_pseudo_perplexity": 1.0}
