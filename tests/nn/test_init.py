from __future__ import annotations

import pytest
import torch
from torch import nn

from unmask.nn.init import initialise


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
