"""The same encoder under another head: where fine-tuning begins."""

from __future__ import annotations

from itertools import takewhile
from typing import Any, NamedTuple

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
from unmask.tasks.sentence_config import DenseConfig, SentenceConfig
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

    A sentence encoder's own dense layers go on where they read and give what they did, see
    `num_kept`; what is new is drawn as in `with_head`.
    """
    head = build(task.config, bundle.config.hidden_size)
    places = _dense_places(task.config)
    kept = 0
    if isinstance(bundle.task, SentenceEmbedding):
        before = bundle.task.config
        kept = num_kept(before, task.config)
        own: Any = bundle.model.heads[HEAD]
        for place, trained in zip(places[:kept], _dense_places(before)[:kept], strict=True):
            head.layers[place] = own.layers[trained]
    fresh = nn.ModuleList([*(head.layers[place] for place in places[kept:]), *task.losses])
    initialise(fresh, bundle.config.initializer_range, generator)
    weight = next(bundle.model.encoder.parameters())
    fresh.to(device=weight.device, dtype=weight.dtype)
    model = Siamese(Model(bundle.model.encoder, {HEAD: head}), task.losses)
    return Transfer(model.train(bundle.model.training), has_pooler=False)


def num_kept(before: SentenceConfig, after: SentenceConfig) -> int:
    """How many of a sentence encoder's dense layers go on under other settings, from the first.

    Prompts, lengths and what is compared change nothing of a layer; another pooling gives it
    something else to read.
    """
    if before.pooling != after.pooling:
        return 0
    pairs = zip(_dense_places(before), _dense_places(after), strict=False)
    alike = (before.layers[one] == after.layers[other] for one, other in pairs)
    return sum(1 for _ in takewhile(bool, alike))


def _dense_places(config: SentenceConfig) -> list[int]:
    return [place for place, layer in enumerate(config.layers) if isinstance(layer, DenseConfig)]


def _pooler(model: Model) -> nn.Module | None:
    for part in model.heads.values():
        if isinstance(part, Pooler):
            return part
        if isinstance(part, NextSentenceHead | PooledClassifier):
            return part.pooler
    return None
