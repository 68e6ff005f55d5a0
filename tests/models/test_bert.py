from __future__ import annotations

import pytest
import torch

from unmask.batch import pack
from unmask.models.bert import build
from unmask.models.config import BertConfig
from unmask.nn.dropout import Dropout

TINY = BertConfig(
    vocab_size=50,
    hidden_size=24,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=40,
    max_position_embeddings=16,
    hidden_dropout_prob=0.2,
    attention_probs_dropout_prob=0.3,
    layer_norm_eps=1e-5,
)


def test_the_encoder_has_the_sizes_of_its_config() -> None:
    encoder = build(TINY)

    shapes = {name: tuple(p.shape) for name, p in encoder.named_parameters()}
    assert shapes["embedding.tokens.weight"] == (50, 24)
    assert shapes["embedding.positions.weight"] == (16, 24)
    assert shapes["embedding.segments.weight"] == (2, 24)
    assert shapes["blocks.2.attention.qkv.weight"] == (72, 24)
    assert shapes["blocks.2.feedforward.widen.weight"] == (40, 24)
    assert (len(encoder.blocks), encoder.order) == (3, (0, 1, 2))
    assert encoder.eval()(pack([[1] * 16, [49]])).shape == (17, 24)


def test_each_dropout_rate_lands_where_it_belongs() -> None:
    rates = {n: m.rate for n, m in build(TINY).named_modules() if isinstance(m, Dropout)}

    assert len(rates) == 7
    assert {n for n, rate in rates.items() if rate == 0.3} == {
        f"blocks.{i}.attention.dropout" for i in range(3)
    }
    assert set(rates.values()) == {0.2, 0.3}


def test_every_norm_has_the_configs_epsilon() -> None:
    norms = [m for m in build(TINY).modules() if isinstance(m, torch.nn.LayerNorm)]

    assert len(norms) == 7
    assert {norm.eps for norm in norms} == {1e-5}


@pytest.mark.parametrize("activation", ["gelu_new", "relu"])
def test_the_activation_changes_the_answer(activation: str) -> None:
    torch.manual_seed(0)
    usual = build(TINY).eval()
    other = build(TINY.model_copy(update={"hidden_act": activation})).eval()
    other.load_state_dict(usual.state_dict())

    batch = pack([[3, 4, 5, 6]])
    assert not torch.equal(usual(batch), other(batch))
