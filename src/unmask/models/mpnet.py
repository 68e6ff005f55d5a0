"""MPNet (Song et al. 2020, arXiv 2004.09297): BERT's encoder without segments, its attention also
biased by distance.

Its own pretraining, which permutes what it masks, is not built here.
"""

from __future__ import annotations

from torch import nn

from unmask.models.bert import build_block, build_gelu_mlm_head
from unmask.models.config import MpnetConfig
from unmask.models.family import Family, no_transform
from unmask.models.roberta import build_pooler
from unmask.nn.embedding import Absent, LaterPositions, TokenPositionSegmentEmbedding
from unmask.nn.encoder import Encoder
from unmask.nn.relative_bias import BiasedSelfAttention, RelativeBiasContext

NUM_BUCKETS, MAX_DISTANCE = 32, 128
"""Written into every implementation (transformers, `MPNetEncoder.relative_position_bucket`)."""


def build(config: MpnetConfig) -> Encoder:
    """An encoder with torch's initial weights; `nn.init.initialise` gives BERT's."""
    return Encoder(
        embedding=TokenPositionSegmentEmbedding(
            nn.Embedding(config.vocab_size, config.hidden_size),
            LaterPositions(
                config.max_position_embeddings, config.hidden_size, first=config.pad_token_id + 1
            ),
            Absent(),
            config.layer_norm_eps,
            config.hidden_dropout_prob,
        ),
        context=RelativeBiasContext(NUM_BUCKETS, config.num_attention_heads, MAX_DISTANCE),
        blocks=[build_block(config, BiasedSelfAttention) for _ in range(config.num_hidden_layers)],
        order=range(config.num_hidden_layers),
        final_norm=nn.Identity(),
        hidden_size=config.hidden_size,
    )


FAMILY = Family(build, build_gelu_mlm_head, build_pooler, no_transform)
