"""RoBERTa (Liu et al. 2019, arXiv 1907.11692): BERT's encoder, its pairs told by separators alone.

XLM-RoBERTa (Conneau et al. 2020) is the same encoder.
"""

from __future__ import annotations

from torch import nn

from unmask.models.bert import build_block, build_gelu_mlm_head
from unmask.models.config import RobertaConfig
from unmask.models.family import Family, no_transform
from unmask.nn.context import PackedContext
from unmask.nn.embedding import (
    LaterPositions,
    OneSegment,
    TokenPositionSegmentEmbedding,
)
from unmask.nn.encoder import Encoder
from unmask.nn.pooling import Pooler


def build(config: RobertaConfig) -> Encoder:
    """An encoder with torch's initial weights; `nn.init.initialise` gives the paper's."""
    return Encoder(
        embedding=TokenPositionSegmentEmbedding(
            nn.Embedding(config.vocab_size, config.hidden_size),
            LaterPositions(
                config.max_position_embeddings, config.hidden_size, first=config.pad_token_id + 1
            ),
            OneSegment(config.type_vocab_size, config.hidden_size),
            config.layer_norm_eps,
            config.hidden_dropout_prob,
        ),
        context=PackedContext(),
        blocks=[build_block(config) for _ in range(config.num_hidden_layers)],
        order=range(config.num_hidden_layers),
        final_norm=nn.Identity(),
        hidden_size=config.hidden_size,
    )


def build_pooler(config: RobertaConfig) -> Pooler:
    """A tanh layer, whose input is dropped out too (transformers, `RobertaClassificationHead`)."""
    return Pooler(config.hidden_size, dropout_rate=config.head_dropout)


FAMILY = Family(build, build_gelu_mlm_head, build_pooler, no_transform)
