"""A model from its config and the names of its heads, with fresh weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from unmask.models import bert
from unmask.models.config import BertConfig
from unmask.nn.pooling import Pooler
from unmask.tasks.masked_lm import MaskedLM, MaskedLMHead, NextSentenceHead
from unmask.tasks.task import Model, Task


def assemble(config: BertConfig, heads: Collection[str]) -> Model:
    """An encoder with heads out of "mlm", "nsp" (which holds the pooler) and "pooler".

    The weights are torch's initial ones.
    """
    encoder = bert.build(config)
    built: dict[str, nn.Module] = {}
    if "mlm" in heads:
        built["mlm"] = MaskedLMHead(
            _token_embedding(encoder), bert.ACTIVATIONS[config.hidden_act], config.layer_norm_eps
        )
    if "nsp" in heads:
        built["nsp"] = NextSentenceHead(config.hidden_size)
    if "pooler" in heads:
        built["pooler"] = Pooler(config.hidden_size)
    return Model(encoder, built)


def outline(config: BertConfig, heads: Collection[str]) -> Model:
    """The same model with names and shapes but without memory: on the meta device."""
    with torch.device("meta"), _Uninitialised():
        return assemble(config, heads)


def task_of(heads: Collection[str]) -> Task | None:
    """The task that these heads were trained for."""
    return MaskedLM(next_sentence="nsp" in heads) if "mlm" in heads else None


def _token_embedding(encoder: nn.Module) -> nn.Embedding:
    tokens = encoder.get_submodule("embedding.tokens")
    assert isinstance(tokens, nn.Embedding)
    return tokens


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
