"""ModernBERT (Warner et al. 2024, arXiv 2412.13663): rotary positions, gates, pre-norm blocks."""

from __future__ import annotations

from operator import attrgetter

from torch import nn

from unmask.models.config import ModernBertConfig
from unmask.models.family import Family
from unmask.nn.activations import ACTIVATIONS
from unmask.nn.block import PreNormBlock
from unmask.nn.embedding import TokenEmbedding
from unmask.nn.encoder import Encoder
from unmask.nn.feedforward import GatedFeedForward
from unmask.nn.masked_lm_head import MaskedLMHead
from unmask.nn.pooling import NormedTransform
from unmask.nn.rotary import RotaryPositions, RotarySelfAttention

_VIEWS = {"full_attention": attrgetter("full"), "sliding_attention": attrgetter("near")}


def build(config: ModernBertConfig) -> Encoder:
    """An encoder with torch's initial weights; `nn.init.initialise` gives BERT's."""
    return Encoder(
        embedding=TokenEmbedding(
            nn.Embedding(config.vocab_size, config.hidden_size),
            config.layer_norm_eps,
            config.embedding_dropout,
            norm_bias=config.norm_bias,
        ),
        context=RotaryPositions(
            config.hidden_size // config.num_attention_heads,
            config.global_rope_theta,
            config.local_rope_theta,
            config.local_attention // 2,
        ),
        blocks=[_block(config, layer) for layer in range(config.num_hidden_layers)],
        order=range(config.num_hidden_layers),
        final_norm=_norm(config),
        hidden_size=config.hidden_size,
    )


def _block(config: ModernBertConfig, layer: int) -> PreNormBlock:
    """The first block's input comes normalised from the embedding."""
    return PreNormBlock(
        attention_norm=_norm(config) if layer else nn.Identity(),
        attention=RotarySelfAttention(
            config.hidden_size,
            config.num_attention_heads,
            config.attention_probs_dropout_prob,
            _VIEWS[config.reaches[layer]],
            bias=config.attention_bias,
        ),
        feedforward_norm=_norm(config),
        feedforward=GatedFeedForward(
            config.hidden_size,
            config.intermediate_size,
            ACTIVATIONS[config.hidden_act],
            config.hidden_dropout_prob,
            bias=config.mlp_bias,
        ),
        dropout_rate=config.attention_probs_dropout_prob,
    )


def _norm(config: ModernBertConfig) -> nn.LayerNorm:
    return nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps, bias=config.norm_bias)


def build_mlm_head(config: ModernBertConfig, encoder: Encoder) -> MaskedLMHead:
    """Transform, and the token embedding's own weights as decoder."""
    tokens = encoder.get_submodule("embedding.tokens")
    assert isinstance(tokens, nn.Embedding)
    return MaskedLMHead(
        tokens,
        config.hidden_size,
        ACTIVATIONS[config.classifier_activation],
        config.layer_norm_eps,
        bias=config.classifier_bias,
        norm_bias=config.norm_bias,
        decoder_bias=config.decoder_bias,
    )


def build_transform(config: ModernBertConfig) -> NormedTransform:
    """What every head reads, of sequences and of tokens."""
    return NormedTransform(
        config.hidden_size,
        ACTIVATIONS[config.classifier_activation],
        config.layer_norm_eps,
        bias=config.classifier_bias,
        norm_bias=config.norm_bias,
    )


FAMILY = Family(build, build_mlm_head, build_transform, build_transform)
