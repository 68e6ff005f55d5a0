"""ALBERT (Lan et al. 2020, arXiv 1909.11942): narrow embeddings, and one block for all layers."""

from __future__ import annotations

from torch import nn

from unmask.models.bert import build_block, build_mlm_head, build_pooler
from unmask.models.config import AlbertConfig
from unmask.models.family import Family, no_transform
from unmask.nn.context import PackedContext
from unmask.nn.embedding import FactorisedEmbedding
from unmask.nn.encoder import Encoder


def build(config: AlbertConfig) -> Encoder:
    """An encoder with torch's initial weights; `nn.init.initialise` gives the paper's."""
    return Encoder(
        embedding=FactorisedEmbedding(
            nn.Embedding(config.vocab_size, config.embedding_size),
            nn.Embedding(config.max_position_embeddings, config.embedding_size),
            nn.Embedding(config.type_vocab_size, config.embedding_size),
            config.layer_norm_eps,
            config.hidden_dropout_prob,
            config.hidden_size,
        ),
        context=PackedContext(),
        blocks=[build_block(config) for _ in range(config.num_blocks)],
        order=config.order,
        final_norm=nn.Identity(),
        hidden_size=config.hidden_size,
    )


FAMILY = Family(build, build_mlm_head, build_pooler, no_transform, pretrains_pooler=True)
