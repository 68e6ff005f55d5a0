"""Held-out scores on the same sequences under the same masks every time."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from unmask.batch import Batch
from unmask.tasks.task import CountedTask, Model


def evaluate(model: Model, task: CountedTask, batches: Iterable[Batch]) -> dict[str, float]:
    """Per term `<term>_loss` in nats and `<term>_accuracy`, over all batches together.

    `mlm_pseudo_perplexity` is exp of the masked language model loss: how many tokens the model
    hesitates between at a masked position.
    """
    totals: dict[str, float] = {}
    hits: dict[str, int] = {}
    counts: dict[str, float] = {}
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for batch in batches:
            batch = batch.to(device)
            outputs = model(batch, task)
            for term in task.loss(outputs, batch):
                totals[term.name] = totals.get(term.name, 0.0) + float(term.total)
            for name, number in task.hits(outputs, batch).items():
                hits[name] = hits.get(name, 0) + number
            for name, count in task.counts(batch).items():
                counts[name] = counts.get(name, 0.0) + count
    model.train(was_training)
    scores: dict[str, float] = {}
    for name, count in counts.items():
        scores[f"{name}_loss"] = totals[name] / max(1, count)
        scores[f"{name}_accuracy"] = hits[name] / max(1, count)
    if "mlm_loss" in scores:
        scores["mlm_pseudo_perplexity"] = math.exp(min(700.0, scores["mlm_loss"]))
    return scores
