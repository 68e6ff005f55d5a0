"""ModernBERT (Warner et al. 2024, arXiv 2412.13663): rotary positions, gates, local attention."""

from __future__ import annotations

from torch import nn

from unmask.models.config import ModernBertConfig
from unmask.models.family import Family
from unmask.nn.activations import ACTIVATIONS
from unmask.nn.block import PreNormBlock
from unmask.nn.drawing import Drawing, drawn
from unmask.nn.embedding import TokenEmbedding
from unmask.nn.encoder import Encoder
from unmask.nn.feedforward import GatedFeedForward
from unmask.nn.masked_lm_head import PredictionHead, TiedDecoder
from unmask.nn.projections import QueryKeyValue
from unmask.nn.rotary import RotaryKind, RotaryPositions
from unmask.nn.rotary_attention import RotaryAttention


def build(config: ModernBertConfig) -> Encoder:
    """An encoder with torch's initial weights; `nn.init.initialise` gives the reference's."""
    kinds = {
        "full_attention": RotaryKind(config.global_rope_theta),
        "sliding_attention": RotaryKind(config.local_rope_theta, config.half_window),
    }
    names = sorted(set(config.kinds))
    tokens = nn.Embedding(config.vocab_size, config.hidden_size)
    return Encoder(
        embedding=TokenEmbedding(
            drawn(tokens, _inward(config)), _norm(config), config.embedding_dropout
        ),
        context=RotaryPositions(
            [kinds[name] for name in names], config.hidden_size // config.num_attention_heads
        ),
        blocks=[
            _block(config, names.index(name), is_first=layer == 0)
            for layer, name in enumerate(config.kinds)
        ],
        order=range(config.num_hidden_layers),
        final_norm=_norm(config),
        hidden_size=config.hidden_size,
    )


def build_mlm_head(config: ModernBertConfig, encoder: Encoder) -> TiedDecoder:
    """The prediction head, and the token embedding's own weights as decoder."""
    made = TiedDecoder(encoder.tokens, build_prediction_head(config), bias=config.decoder_bias)
    drawn(made.decoder, _inward(config))
    return made


def build_prediction_head(config: ModernBertConfig) -> PredictionHead:
    """What every head reads through, of tokens and of pooled sequences."""
    made = PredictionHead(
        config.hidden_size,
        ACTIVATIONS[config.classifier_activation],
        _norm(config),
        bias=config.classifier_bias,
    )
    drawn(made.dense, _outward(config))
    return made


def _block(config: ModernBertConfig, kind: int, *, is_first: bool) -> PreNormBlock:
    attention = RotaryAttention(
        QueryKeyValue(config.hidden_size, bias=config.attention_bias),
        config.num_attention_heads,
        config.attention_probs_dropout_prob,
        kind,
    )
    feedforward = GatedFeedForward(
        config.hidden_size,
        config.intermediate_size,
        ACTIVATIONS[config.hidden_act],
        config.hidden_dropout_prob,
        bias=config.mlp_bias,
    )
    for inward in (attention.qkv, feedforward.widen):
        drawn(inward, _inward(config))
    for outward in (attention.output, feedforward.narrow):
        drawn(outward, _outward(config))
    return PreNormBlock(
        attention=attention,
        attention_norm=nn.Identity() if is_first else _norm(config),  # the embedding's norm did it
        feedforward=feedforward,
        feedforward_norm=_norm(config),
        dropout_rate=config.attention_probs_dropout_prob,
    )


def _norm(config: ModernBertConfig) -> nn.LayerNorm:
    return nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps, bias=config.norm_bias)


def _inward(config: ModernBertConfig) -> Drawing:
    return Drawing(cutoff=config.initializer_cutoff_factor)


def _outward(config: ModernBertConfig) -> Drawing:
    """What adds to the residual stream begins the smaller, the more layers there are."""
    scale = (2.0 * config.num_hidden_layers) ** -0.5
    return Drawing(scale=scale, cutoff=config.initializer_cutoff_factor)


FAMILY = Family(build, build_mlm_head, build_prediction_head, build_prediction_head)
