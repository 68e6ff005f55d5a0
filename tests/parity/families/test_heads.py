"""The fine-tuning heads of every family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from unmask.checkpoint.bundle import Bundle
from unmask.tasks.task import FineTuned

NUM_LABELS = {"SequenceClassification": 3, "TokenClassification": 5}


def our_scores(bundle: Bundle, both: Any) -> Tensor:
    """(B, K), or (N, K) of every token."""
    [(name, head)] = bundle.model.heads.items()
    rows = both.batch.starts() if name == "pooled_classifier" else None
    scores: Tensor = head(bundle.model.encoder(both.batch, rows))
    return scores


def their_scores(model: Any, task: str, both: Any) -> Tensor:
    """The same from transformers; a batch of choices is one example's."""
    if task == "MultipleChoice":
        choices = {name: tensor[None] for name, tensor in both.padded.items()}
        return model(**choices).logits.view(-1, 1)
    outputs = model(**both.padded)
    if task == "QuestionAnswering":
        return both.real(torch.stack((outputs.start_logits, outputs.end_logits), dim=-1))
    return both.real(outputs.logits) if task == "TokenClassification" else outputs.logits


def test_scores_and_gradients_are_theirs(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    assert_gradients_are_theirs: Callable[..., None],
    case: Any,
    task: str,
) -> None:
    pair = make_pair(case, f"For{task}", num_labels=NUM_LABELS.get(task, 2))
    assert isinstance(pair.ours.task, FineTuned)
    assert pair.ours.task.architecture == task
    for lengths in ((24,), (7, 7), (5, 24, 9, 8)):
        both = make_both(case, lengths)
        pair.ours.model.zero_grad()
        pair.theirs.zero_grad()

        ours, theirs = our_scores(pair.ours, both), their_scores(pair.theirs, task, both)

        assert_close(ours.view(theirs.shape), theirs)
        weight = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(3))
        for scores in (ours.view(theirs.shape), theirs):
            (scores * weight).sum().backward()
        assert_gradients_are_theirs(pair)
