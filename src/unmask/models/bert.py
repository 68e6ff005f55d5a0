"""BERT (Devlin et al. 2019): learned positions, segments, post-norm blocks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional

from unmask.models.config import BertConfig
from unmask.nn.attention import SelfAttention
from unmask.nn.block import PostNormBlock
from unmask.nn.context import PackedContext
from unmask.nn.embedding import TokenPositionSegmentEmbedding
from unmask.nn.encoder import Encoder
from unmask.nn.feedforward import FeedForward

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": partial(functional.gelu, approximate="tanh"),
    "relu": functional.relu,
}
"""By Hugging Face's `hidden_act`."""


def build(config: BertConfig) -> Encoder:
    """An encoder with torch's initial weights; `nn.init.initialise` gives the paper's."""

    def norm() -> nn.LayerNorm:
        return nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def block() -> PostNormBlock:
        return PostNormBlock(
            attention=SelfAttention(
                config.hidden_size,
                config.num_attention_heads,
                config.attention_probs_dropout_prob,
            ),
            attention_norm=norm(),
            feedforward=FeedForward(
                config.hidden_size, config.intermediate_size, ACTIVATIONS[config.hidden_act]
            ),
            feedforward_norm=norm(),
            dropout_rate=config.hidden_dropout_prob,
        )

    return Encoder(
        embedding=TokenPositionSegmentEmbedding(
            config.vocab_size,
            config.hidden_size,
            config.max_position_embeddings,
            config.type_vocab_size,
            config.layer_norm_eps,
            config.hidden_dropout_prob,
        ),
        context=PackedContext(),
        blocks=[block() for _ in range(config.num_hidden_layers)],
        order=range(config.num_hidden_layers),
        final_norm=nn.Identity(),
        hidden_size=config.hidden_size,
    )
