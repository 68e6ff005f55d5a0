"""DistilBERT (Sanh et al. 2019, arXiv 1910.01108): BERT with half the layers and no segments."""

from __future__ import annotations

from torch import nn
from torch.nn import functional

from unmask.models.bert import build_block, build_mlm_head
from unmask.models.config import DistilBertConfig
from unmask.models.family import Family, no_transform
from unmask.nn.context import PackedContext
from unmask.nn.embedding import Absent, TokenPositionSegmentEmbedding
from unmask.nn.encoder import Encoder
from unmask.nn.pooling import Pooler


def build(config: DistilBertConfig) -> Encoder:
    """An encoder with torch's initial weights; `nn.init.initialise` gives BERT's."""
    return Encoder(
        embedding=TokenPositionSegmentEmbedding(
            nn.Embedding(config.vocab_size, config.hidden_size),
            nn.Embedding(config.max_position_embeddings, config.hidden_size),
            Absent(),
            config.layer_norm_eps,
            config.hidden_dropout_prob,
        ),
        context=PackedContext(),
        blocks=[build_block(config) for _ in range(config.num_hidden_layers)],
        order=range(config.num_hidden_layers),
        final_norm=nn.Identity(),
        hidden_size=config.hidden_size,
    )


def build_pooler(config: DistilBertConfig) -> Pooler:
    """A ReLU layer (transformers' `pre_classifier`)."""
    return Pooler(config.hidden_size, functional.relu)


FAMILY = Family(build, build_mlm_head, build_pooler, no_transform)
