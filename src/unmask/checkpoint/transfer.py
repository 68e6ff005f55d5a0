"""The same encoder under another head: where fine-tuning begins."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from unmask.checkpoint.assemble import fine_tuned_head
from unmask.checkpoint.bundle import Bundle
from unmask.models.families import family_of
from unmask.nn.drawing import Drawing, drawn
from unmask.nn.init import initialise
from unmask.nn.pooling import Pooler
from unmask.tasks.embedding import Embedding
from unmask.tasks.heads import PooledClassifier
from unmask.tasks.masked_lm import NextSentenceHead
from unmask.tasks.sentence import HEAD, SentenceEmbedding, build
from unmask.tasks.siamese import Siamese
from unmask.tasks.task import Model


class Transfer(NamedTuple):
    """A model whose head is fresh."""

    model: Model
    has_pooler: bool
    """Whether the source had a pooler; without one, a head that needs it starts it afresh."""


def with_head(bundle: Bundle, head: str, num_outputs: int, generator: torch.Generator) -> Transfer:
    """The bundle's encoder, shared and not copied, under a new head of `assemble.FINE_TUNED`.

    A pooler is shared too, where the family pretrains one and the source has it. What is new is
    drawn as at the start of pretraining: matrices from a truncated normal of `initializer_range`,
    biases zero; a family may have another deviation for the classifier. The model is in the mode
    of the bundle's, and its other heads are left behind.
    """
    fresh = fine_tuned_head(bundle.config, head, num_outputs)
    if (deviation := bundle.config.classifier_deviation) is not None:
        for part in fresh.children():
            if isinstance(part, nn.Linear):
                drawn(part, Drawing(deviation=deviation))
    initialise(fresh, bundle.config.initializer_range, generator)
    weight = next(bundle.model.encoder.parameters())
    fresh.to(device=weight.device, dtype=weight.dtype)
    pooler = _pooler(bundle.model) if family_of(bundle.config).pretrains_pooler else None
    if pooler is not None and isinstance(fresh, PooledClassifier):
        fresh.pooler = pooler
    model = Model(bundle.model.encoder, {head: fresh})
    return Transfer(model.train(bundle.model.training), pooler is not None)


def with_sentences(bundle: Bundle, task: Embedding, generator: torch.Generator) -> Transfer:
    """The bundle's encoder, shared, under a head for vectors of texts and with the task's losses.

    A sentence encoder's own head goes on where the task makes vectors as it does; what is new is
    drawn as in `with_head`.
    """
    before = bundle.task.config if isinstance(bundle.task, SentenceEmbedding) else None
    width = bundle.config.hidden_size
    head = bundle.model.heads[HEAD] if before == task.config else build(task.config, width)
    fresh = nn.ModuleList([*([] if before == task.config else [head]), *task.losses])
    initialise(fresh, bundle.config.initializer_range, generator)
    weight = next(bundle.model.encoder.parameters())
    fresh.to(device=weight.device, dtype=weight.dtype)
    model = Siamese(Model(bundle.model.encoder, {HEAD: head}), task.losses)
    return Transfer(model.train(bundle.model.training), has_pooler=False)


def _pooler(model: Model) -> nn.Module | None:
    for part in model.heads.values():
        if isinstance(part, Pooler):
            return part
        if isinstance(part, NextSentenceHead | PooledClassifier):
            return part.pooler
    return None
