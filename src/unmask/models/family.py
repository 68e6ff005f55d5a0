"""What a family's file gives: how its config becomes modules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from unmask.nn.activations import ACTIVATIONS
from unmask.nn.encoder import Encoder
from unmask.nn.mask_decoder import FinalStates
from unmask.nn.replaced_token_head import ReplacedTokenHead


def final_states(_config: Any) -> nn.Module:
    """Masked language models that read the encoder's end."""
    return FinalStates()


def replaced_token_head(config: Any) -> ReplacedTokenHead:
    """ELECTRA's."""
    return ReplacedTokenHead(config.hidden_size, ACTIVATIONS[config.hidden_act])


@dataclass(frozen=True)
class Family:
    """The builders of one family; each takes the family's config."""

    build: Callable[[Any], Encoder]
    """The encoder, with torch's initial weights; `nn.init.initialise` gives the paper's."""
    build_mlm_head: Callable[[Any, Encoder], nn.Module]
    """(M, D) hidden states to (M, V) logits, sharing the encoder's token embedding."""
    build_pooler: Callable[[Any], nn.Module]
    """(B, D) hidden states of first tokens to (B, D), what a classifier of sequences reads."""
    build_token_transform: Callable[[Any], nn.Module]
    """(N, D) to (N, D), what a classifier of tokens or a span head reads; identity for most."""
    build_mask_decoder: Callable[[Any], nn.Module] = final_states
    """(encoder, batch, rows) to the states that a masked language model reads, see
    `nn.mask_decoder`."""
    build_replaced_token_head: Callable[[Any], nn.Module] = replaced_token_head
    """(N, D) hidden states and their batch to (N,) logits; for configs with `detects_replaced`."""
    pretrains_pooler: bool = False
    """Whether the pooler is trained in pretraining, by a loss over pairs, and so is worth keeping
    when a classifier is put on it."""


def no_transform(_config: Any) -> nn.Module:
    """Token heads that read the hidden states as they are."""
    return nn.Identity()
