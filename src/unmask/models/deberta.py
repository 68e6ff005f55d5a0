"""DeBERTa (He et al. 2021, arXiv 2006.03654): contents and distances are compared separately.

Version 3 (He et al. 2023, arXiv 2111.09543) is version 2's encoder, pretrained otherwise.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import nn

from unmask.models.bert import build_mlm_head, build_norm, build_parts
from unmask.models.config import DebertaConfig, DebertaV2Config
from unmask.models.family import Family, no_transform
from unmask.nn.activations import ACTIVATIONS
from unmask.nn.context import PackedContext
from unmask.nn.disentangled import DisentangledAttention
from unmask.nn.disentangled_block import Convolution, ConvolvedBlock, DisentangledBlock
from unmask.nn.embedding import Absent, ProjectedEmbedding
from unmask.nn.encoder import Encoder
from unmask.nn.linear import Linear
from unmask.nn.mask_decoder import EnhancedMaskDecoder, FinalStates
from unmask.nn.pooling import Pooler
from unmask.nn.projections import InterleavedProjection, Projection, QueryKeyValue
from unmask.nn.relative import Buckets, RelativePositions, linear_buckets, log_buckets
from unmask.nn.relative_table import (
    KEY,
    QUERY,
    Distances,
    NoDistances,
    OfContent,
    OfItsOwn,
    Unread,
)
from unmask.nn.replaced_token_head import SummarisedReplacedTokenHead

_ACTIVATIONS = {**ACTIVATIONS, "tanh": torch.tanh}


def build(config: DebertaConfig) -> Encoder:
    """Version 1."""
    blocks = [
        DisentangledBlock(*build_parts(config, _attention(config)))
        for _ in range(config.num_hidden_layers)
    ]
    return _encoder(config, blocks, nn.Identity(), linear_buckets)


def build_v2(config: DebertaV2Config) -> Encoder:
    """Versions 2 and 3."""
    blocks = [
        DisentangledBlock(*build_parts(config, _attention_v2(config)))
        for _ in range(config.num_hidden_layers)
    ]
    if config.conv_kernel_size:
        parts = build_parts(config, _attention_v2(config))
        blocks[0] = ConvolvedBlock(*parts, _convolution(config))
    buckets: Buckets = linear_buckets
    if config.position_buckets > 0:
        buckets = partial(
            log_buckets, num_buckets=config.position_buckets, max_distance=config.max_distance
        )
    norm = build_norm(config) if config.norm_rel_ebd == "layer_norm" else nn.Identity()
    return _encoder(config, blocks, norm, buckets)


def build_mask_decoder(config: DebertaConfig) -> nn.Module:
    """Where positions come in only here."""
    if not config.reads_positions_late:
        return FinalStates()
    return EnhancedMaskDecoder(config.max_position_embeddings, config.hidden_size)


def build_replaced_token_head(config: DebertaConfig) -> SummarisedReplacedTokenHead:
    """Version 3's; of the other versions none was published."""
    return SummarisedReplacedTokenHead(
        config.hidden_size, ACTIVATIONS[config.hidden_act], config.layer_norm_eps
    )


def build_pooler(config: DebertaConfig) -> Pooler:
    """transformers, `modeling_deberta_v2.py`, `ContextPooler`."""
    return Pooler(config.hidden_size, _ACTIVATIONS[config.pooler_hidden_act], config.pooler_dropout)


def _encoder(
    config: DebertaConfig, blocks: list[DisentangledBlock], norm: nn.Module, buckets: Buckets
) -> Encoder:
    width, segments = config.embedding_width, config.type_vocab_size
    positions: nn.Module = Absent()
    if config.position_biased_input:
        positions = nn.Embedding(config.max_position_embeddings, width)
    context: nn.Module = PackedContext()
    if config.relative_attention:
        table = nn.Embedding(config.relative_rows, config.hidden_size)
        context = RelativePositions(table, norm, buckets)
    return Encoder(
        embedding=ProjectedEmbedding(
            nn.Embedding(config.vocab_size, width),
            positions,
            nn.Embedding(segments, width) if segments else Absent(),
            nn.Identity()
            if width == config.hidden_size
            else Linear(width, config.hidden_size, bias=False),
            build_norm(config),
            config.hidden_dropout_prob,
        ),
        context=context,
        blocks=blocks,
        order=range(config.num_hidden_layers),
        final_norm=nn.Identity(),
        hidden_size=config.hidden_size,
    )


def _attention(config: DebertaConfig) -> DisentangledAttention:
    size, terms = config.hidden_size, _terms(config)
    keys = OfItsOwn(size, size, bias=False) if "c2p" in terms else Unread()
    queries = OfItsOwn(size, size) if "p2c" in terms else Unread()
    qkv = InterleavedProjection(size, config.num_attention_heads)
    return _attention_of(config, qkv, keys, queries)


def _attention_v2(config: DebertaV2Config) -> DisentangledAttention:
    keys = _side(config, KEY) if "c2p" in _terms(config) else Unread()
    queries = _side(config, QUERY) if "p2c" in _terms(config) else Unread()
    return _attention_of(config, QueryKeyValue(config.hidden_size), keys, queries)


def _side(config: DebertaV2Config, part: int) -> nn.Module:
    if config.share_att_key:
        return OfContent(part)
    return OfItsOwn(config.hidden_size, config.hidden_size)


def _attention_of(
    config: DebertaConfig, qkv: Projection, keys: nn.Module, queries: nn.Module
) -> DisentangledAttention:
    distances: nn.Module = NoDistances()
    if _terms(config):
        distances = Distances(keys, queries, config.hidden_dropout_prob)
    return DisentangledAttention(
        qkv,
        config.num_attention_heads,
        config.attention_probs_dropout_prob,
        distances,
        len(config.pos_att_type),
    )


def _terms(config: DebertaConfig) -> tuple[str, ...]:
    return config.pos_att_type if config.relative_attention else ()


def _convolution(config: DebertaV2Config) -> Convolution:
    return Convolution(
        config.hidden_size,
        config.conv_kernel_size,
        config.conv_groups,
        _ACTIVATIONS[config.conv_act],
        config.layer_norm_eps,
        config.hidden_dropout_prob,
    )


FAMILY = Family(
    build,
    build_mlm_head,
    build_pooler,
    no_transform,
    build_mask_decoder=build_mask_decoder,
    build_replaced_token_head=build_replaced_token_head,
)
V2_FAMILY = replace(FAMILY, build=build_v2)
