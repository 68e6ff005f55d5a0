"""ELECTRA (Clark et al. 2020, arXiv 2003.10555): BERT's encoder, its embeddings perhaps narrower.

Generator and discriminator are the same encoder under different heads.
"""

from __future__ import annotations

from torch import nn
from torch.nn import functional

from unmask.models.bert import build_block, build_gelu_mlm_head
from unmask.models.config import ElectraConfig
from unmask.models.family import Family, no_transform
from unmask.nn.context import PackedContext
from unmask.nn.embedding import FactorisedEmbedding, TokenPositionSegmentEmbedding
from unmask.nn.encoder import Encoder
from unmask.nn.pooling import Pooler


def build(config: ElectraConfig) -> Encoder:
    """An encoder with torch's initial weights; `nn.init.initialise` gives the paper's."""
    return Encoder(
        embedding=_embedding(config),
        context=PackedContext(),
        blocks=[build_block(config) for _ in range(config.num_hidden_layers)],
        order=range(config.num_hidden_layers),
        final_norm=nn.Identity(),
        hidden_size=config.hidden_size,
    )


def _embedding(config: ElectraConfig) -> TokenPositionSegmentEmbedding:
    width = config.embedding_size
    tables = (
        nn.Embedding(config.vocab_size, width),
        nn.Embedding(config.max_position_embeddings, width),
        nn.Embedding(config.type_vocab_size, width),
    )
    eps, rate = config.layer_norm_eps, config.hidden_dropout_prob
    if width == config.hidden_size:
        return TokenPositionSegmentEmbedding(*tables, eps, rate)
    return FactorisedEmbedding(*tables, eps, rate, config.hidden_size)


def build_pooler(config: ElectraConfig) -> Pooler:
    """A GELU layer, whose input is dropped out too (transformers, `ElectraClassificationHead`)."""
    return Pooler(config.hidden_size, functional.gelu, config.head_dropout)


FAMILY = Family(build, build_gelu_mlm_head, build_pooler, no_transform)
