"""BERT (Devlin et al. 2019): learned positions, segments, post-norm blocks."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

from unmask.models.config import Activation, BertConfig, EncoderConfig
from unmask.models.family import Family, no_transform
from unmask.nn.activations import ACTIVATIONS
from unmask.nn.attention import SelfAttention
from unmask.nn.block import PostNormBlock
from unmask.nn.context import PackedContext
from unmask.nn.embedding import TokenPositionSegmentEmbedding
from unmask.nn.encoder import Encoder
from unmask.nn.feedforward import FeedForward
from unmask.nn.masked_lm_head import MaskedLMHead
from unmask.nn.pooling import Pooler
from unmask.nn.projections import QueryKeyValue

_Attention = TypeVar("_Attention", bound=SelfAttention)


def build(config: BertConfig) -> Encoder:
    """An encoder with torch's initial weights; `nn.init.initialise` gives the paper's."""
    return Encoder(
        embedding=TokenPositionSegmentEmbedding(
            nn.Embedding(config.vocab_size, config.hidden_size),
            nn.Embedding(config.max_position_embeddings, config.hidden_size),
            nn.Embedding(config.type_vocab_size, config.hidden_size),
            config.layer_norm_eps,
            config.hidden_dropout_prob,
        ),
        context=PackedContext(),
        blocks=[build_block(config) for _ in range(config.num_hidden_layers)],
        order=range(config.num_hidden_layers),
        final_norm=nn.Identity(),
        hidden_size=config.hidden_size,
    )


def build_block(
    config: EncoderConfig, attention: type[SelfAttention] = SelfAttention
) -> PostNormBlock:
    """One block, as several families have it, with a kind of attention that fits the context."""
    made = attention(
        QueryKeyValue(config.hidden_size),
        config.num_attention_heads,
        config.attention_probs_dropout_prob,
    )
    return PostNormBlock(*build_parts(config, made))


def build_parts(
    config: EncoderConfig, attention: _Attention
) -> tuple[_Attention, nn.LayerNorm, FeedForward, nn.LayerNorm, float]:
    """What a post-norm block is made of, in its order."""
    return (
        attention,
        build_norm(config),
        FeedForward(config.hidden_size, config.intermediate_size, ACTIVATIONS[config.hidden_act]),
        build_norm(config),
        config.hidden_dropout_prob,
    )


def build_norm(config: EncoderConfig) -> nn.LayerNorm:
    """Over the hidden states."""
    return nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)


def build_mlm_head(config: EncoderConfig, encoder: Encoder) -> MaskedLMHead:
    """Transform, and the token embedding's own weights as decoder."""
    return _mlm_head(config, encoder, config.hidden_act)


def build_gelu_mlm_head(config: EncoderConfig, encoder: Encoder) -> MaskedLMHead:
    """The same, always by GELU (transformers, `RobertaLMHead`, `ElectraGeneratorPredictions`)."""
    return _mlm_head(config, encoder, "gelu")


def _mlm_head(config: EncoderConfig, encoder: Encoder, activation: Activation) -> MaskedLMHead:
    return MaskedLMHead(
        encoder.tokens, config.hidden_size, ACTIVATIONS[activation], config.layer_norm_eps
    )


def build_pooler(config: EncoderConfig) -> Pooler:
    """A tanh layer."""
    return Pooler(config.hidden_size)


FAMILY = Family(build, build_mlm_head, build_pooler, no_transform, pretrains_pooler=True)
