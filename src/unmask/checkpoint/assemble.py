"""A model from its config and the names of its heads, with fresh weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from unmask.models.config import AlbertConfig, BertConfig, EncoderConfig
from unmask.models.families import family_of
from unmask.nn.embedding import OneSegment
from unmask.tasks.heads import Classifier, PooledClassifier, SpanHead
from unmask.tasks.masked_lm import MaskedLM, NextSentenceHead
from unmask.tasks.task import Model, Task

FINE_TUNED = frozenset({"pooled_classifier", "classifier", "span"})
"""Heads that belong to one task; a model has at most one of them, and none of pretraining."""


def assemble(config: EncoderConfig, heads: Collection[str], num_outputs: int = 0) -> Model:
    """An encoder with heads: "mlm", "rtd", "nsp" (with pooler), "pooler", or one `FINE_TUNED`.

    `num_outputs` is the number of scores of a "pooled_classifier" or "classifier"; the others
    know theirs. The weights are torch's initial ones.
    """
    family = family_of(config)
    encoder = family.build(config)
    _share_one_segment(encoder.embedding)
    built: dict[str, nn.Module] = {}
    if "mlm" in heads:
        built["mlm"] = family.build_mlm_head(config, encoder)
    if "rtd" in heads:
        built["rtd"] = family.build_replaced_token_head(config)
    if "nsp" in heads:
        built["nsp"] = NextSentenceHead(family.build_pooler(config), config.hidden_size)
    for head in FINE_TUNED & set(heads):
        built[head] = fine_tuned_head(config, head, num_outputs)
    if "pooler" in heads:
        built["pooler"] = family.build_pooler(config)
    decoder = family.build_mask_decoder(config) if "mlm" in heads else None
    return Model(encoder, built, decoder)


def fine_tuned_head(config: EncoderConfig, head: str, num_outputs: int) -> nn.Module:
    """One head of `FINE_TUNED`, with torch's initial weights."""
    family, hidden_size = family_of(config), config.hidden_size
    if head == "span":
        transform = family.build_token_transform(config)
        return SpanHead(transform, hidden_size, config.span_head_dropout)
    assert num_outputs > 0, f"a {head} needs a number of outputs"
    if head == "pooled_classifier":
        pooler = family.build_pooler(config)
        return PooledClassifier(pooler, hidden_size, num_outputs, config.head_dropout)
    assert head == "classifier", f"no head `{head}`"
    transform = family.build_token_transform(config)
    return Classifier(transform, hidden_size, num_outputs, config.token_head_dropout)


def outline(config: EncoderConfig, heads: Collection[str], num_outputs: int = 0) -> Model:
    """The same model with names and shapes but without memory: on the meta device."""
    with torch.device("meta"), _Uninitialised():
        return assemble(config, heads, num_outputs)


def task_of(heads: Collection[str], family: type[EncoderConfig] = BertConfig) -> Task | None:
    """The pretraining task that these heads of a family were published for, None for `FINE_TUNED`
    ones."""
    if "mlm" not in heads:
        return None
    term = pair_term_of(family) if "nsp" in heads else None
    return MaskedLM(next_sentence=term == "nsp", sentence_order=term == "sop")


def pair_term_of(family: type[EncoderConfig]) -> Literal["nsp", "sop"]:
    """What a family's head for pairs was published to tell: ALBERT's the order of two segments
    (Lan et al. 2020, section 3.1), BERT's whether the second follows."""
    return "sop" if issubclass(family, AlbertConfig) else "nsp"


def _share_one_segment(embedding: nn.Module) -> None:
    """A table of one segment is read by all, as RoBERTa's is: the separator tells pairs apart.

    transformers fails there, on any pair whose second text is of segment 1.
    """
    segments = dict(embedding.named_children()).get("segments")
    if isinstance(segments, nn.Embedding) and segments.num_embeddings == 1:
        shared = OneSegment(1, segments.embedding_dim)
        shared.weight = segments.weight
        embedding.segments = shared


class _Uninitialised(TorchFunctionMode):
    """Skips `torch.nn.init`, whose random draws on the meta device load torch's compiler."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else given["tensor"]
        return func(*args, **given)
