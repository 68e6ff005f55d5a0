from __future__ import annotations

import pytest
import torch
from torch import nn

from unmask.batch import pack
from unmask.models.bert import build
from unmask.models.config import BertConfig
from unmask.nn.encoder import Encoder
from unmask.nn.init import OFFSETS, initialise, look_at_neighbours
from unmask.nn.trace import record


def modules() -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            "linear": nn.Linear(200, 300),
            "embedding": nn.Embedding(300, 100),
            "norm": nn.LayerNorm(50),
            "unbiased": nn.Linear(100, 200, bias=False),
        }
    )


def initialised(seed: int, standard_deviation: float = 0.02) -> nn.ModuleDict:
    made = modules()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.fill_(7.0)
    initialise(made, standard_deviation, torch.Generator().manual_seed(seed))
    return made


@pytest.mark.parametrize("standard_deviation", [0.02, 0.5])
def test_weights_are_cut_at_two_standard_deviations(standard_deviation: float) -> None:
    made = initialised(0, standard_deviation)

    weights = torch.cat([p.flatten() for p in made.parameters() if p.ndim == 2])
    assert weights.abs().max() <= 2 * standard_deviation
    assert weights.abs().max() > 1.99 * standard_deviation
    # The normal distribution cut at two standard deviations has 0.8796 of its spread.
    assert weights.std().item() == pytest.approx(0.8796 * standard_deviation, rel=0.01)
    assert abs(weights.mean().item()) < 0.01 * standard_deviation


def test_biases_are_zero_and_norms_change_nothing() -> None:
    made = initialised(0)

    assert made.get_parameter("linear.bias").eq(0).all()
    assert made.get_parameter("norm.bias").eq(0).all()
    assert made.get_parameter("norm.weight").eq(1).all()


def test_the_seed_alone_decides_the_weights() -> None:
    torch.manual_seed(1)
    first = initialised(0).state_dict()
    torch.manual_seed(2)
    second, other = initialised(0).state_dict(), initialised(1).state_dict()

    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["linear.weight"], other["linear.weight"])


def looking_at_neighbours(hidden_size: int, num_attention_heads: int) -> Encoder:
    config = BertConfig(
        vocab_size=500,
        hidden_size=hidden_size,
        num_hidden_layers=2,
        num_attention_heads=num_attention_heads,
        intermediate_size=2 * hidden_size,
        max_position_embeddings=512,
    )
    encoder = build(config).eval()
    generator = torch.Generator().manual_seed(3)
    initialise(encoder, config.initializer_range, generator)
    look_at_neighbours(encoder, generator)
    return encoder


@pytest.mark.parametrize(("hidden_size", "num_attention_heads"), [(256, 4), (128, 2), (195, 3)])
def test_fresh_heads_look_at_their_neighbours(hidden_size: int, num_attention_heads: int) -> None:
    encoder = looking_at_neighbours(hidden_size, num_attention_heads)
    ids = torch.randint(500, (200,), generator=torch.Generator().manual_seed(0))
    batch = pack([ids.tolist()])

    with torch.no_grad(), record(encoder) as seen:
        encoder(batch)

    for head, weights in enumerate(seen.attentions[0][0]):  # (T, T)
        offset = OFFSETS[head % len(OFFSETS)]
        towards = [weights.diagonal(step).mean().item() for step in range(-8, 9)]
        assert towards.index(max(towards)) - 8 == offset
        assert max(towards) > 5 / len(ids)


def test_fresh_neighbourly_weights_come_from_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = looking_at_neighbours(64, 4).state_dict()
    torch.manual_seed(2)
    second = looking_at_neighbours(64, 4).state_dict()

    assert all(torch.equal(first[name], second[name]) for name in first)
