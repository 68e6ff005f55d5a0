"""What is frozen, what starts afresh, and how fast each layer learns."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from unmask.checkpoint.assemble import assemble
from unmask.errors import UsageError
from unmask.models.config import AlbertConfig, MpnetConfig
from unmask.tasks.task import Model
from unmask.train.config import OptimConfig
from unmask.train.layers import freeze, rate_scales, reinitialise_top
from unmask.train.optim import Optimizers


def trained(model: Model) -> set[str]:
    """Modules with parameters that are trained."""
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    return {".".join(name.split(".")[: 3 if "blocks" in name else 2]) for name in names}


@pytest.mark.parametrize(
    ("what", "left"),
    [
        ("encoder", {"heads.mlm"}),
        ("embeddings", {"encoder.blocks.0", "encoder.blocks.1", "heads.mlm"}),
        ("1", {"encoder.blocks.1", "heads.mlm"}),
        ("2", {"heads.mlm"}),
    ],
)
def test_what_is_frozen_is_not_trained(
    make_model: Callable[..., Model], what: str, left: set[str]
) -> None:
    model = make_model()
    before = sum(parameter.numel() for parameter in model.parameters())

    number = freeze(model, what)

    assert trained(model) == left
    assert before - number == sum(p.numel() for p in model.parameters() if p.requires_grad)
    trained_there = {id(p) for m in Optimizers(model, OptimConfig()).members
                     for g in m.param_groups for p in g["params"]}  # fmt: skip
    assert trained_there == {id(p) for p in model.parameters() if p.requires_grad}


@pytest.mark.parametrize("what", ["0", "3", "-1", "head", ""])
def test_only_what_is_there_can_be_frozen(make_model: Callable[..., Model], what: str) -> None:
    with pytest.raises(UsageError, match="--freeze"):
        freeze(make_model(), what)


def test_rates_fall_from_the_top_block_down(make_model: Callable[..., Model]) -> None:
    model = make_model()
    scales = rate_scales(model, 0.5)
    optimizers = Optimizers(model, OptimConfig(learning_rate=1.0), scales)

    rates = {
        optimizers.names[id(parameter)]: group["lr"]
        for group in optimizers.members[0].param_groups
        for parameter in group["params"]
    }
    assert rates["heads.mlm.transform.weight"] == 1.0
    assert rates["encoder.blocks.1.attention.output.weight"] == 1.0
    assert rates["encoder.blocks.0.attention.output.bias"] == 0.5
    assert rates["encoder.embedding.tokens.weight"] == 0.25
    assert set(rates) == {name for name, _ in model.named_parameters()}


def test_top_blocks_begin_afresh(make_model: Callable[..., Model]) -> None:
    model, before = make_model(), make_model()
    reinitialise_top(model, 1, 0.02, torch.Generator().manual_seed(3))

    lower, top = model.encoder.blocks
    assert torch.equal(lower.attention.qkv.weight, before.encoder.blocks[0].attention.qkv.weight)
    assert not torch.equal(top.attention.qkv.weight, before.encoder.blocks[1].attention.qkv.weight)
    assert top.attention.qkv.weight.abs().max() <= 0.04
    with pytest.raises(UsageError, match="the encoder has 2"):
        reinitialise_top(model, 3, 0.02, torch.Generator())


def albert(**sizes: int) -> Model:
    config = AlbertConfig(
        vocab_size=20,
        embedding_size=8,
        hidden_size=16,
        num_attention_heads=2,
        intermediate_size=16,
        **sizes,
    )
    return assemble(config, {"mlm"})


def test_layers_that_share_weights_count_as_one_block() -> None:
    model = albert(num_hidden_layers=6, num_hidden_groups=2)
    assert model.encoder.order == (0, 0, 0, 1, 1, 1)
    scales = rate_scales(model, 0.5)
    assert scales["encoder.blocks.1.attention.qkv.weight"] == 1.0
    assert scales["encoder.blocks.0.attention.qkv.weight"] == 0.5
    assert scales["encoder.embedding.projection.weight"] == 0.25
    before = model.encoder.blocks[0].attention.qkv.weight.clone()
    reinitialise_top(model, 1, 0.02, torch.Generator().manual_seed(3))
    assert torch.equal(model.encoder.blocks[0].attention.qkv.weight, before)
    freeze(model, "1")
    assert trained(model) == {"encoder.blocks.1", "heads.mlm"}


def test_the_one_block_of_all_layers_is_not_begun_afresh() -> None:
    model = albert(num_hidden_layers=6)
    reinitialise_top(model, 0, 0.02, torch.Generator())
    with pytest.raises(UsageError, match="6 layers share the weights of 1 block"):
        reinitialise_top(model, 1, 0.02, torch.Generator())
    with pytest.raises(UsageError, match="the encoder has 1"):
        reinitialise_top(model, 2, 0.02, torch.Generator())


def test_blocks_that_take_turns_have_no_order() -> None:
    model = albert(num_hidden_layers=2, inner_group_num=2)
    for refused in (
        lambda: freeze(model, "1"),
        lambda: rate_scales(model, 0.5),
        lambda: reinitialise_top(model, 1, 0.02, torch.Generator()),
    ):
        with pytest.raises(UsageError, match="in the order 0, 1, 0, 1"):
            refused()
    assert set(rate_scales(model, 1.0).values()) == {1.0}
    freeze(model, "encoder")
    assert trained(model) == {"heads.mlm"}


def test_a_table_of_distances_counts_as_embeddings() -> None:
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16}
    model = assemble(MpnetConfig(vocab_size=20, num_hidden_layers=2, **sizes), {"mlm"})
    assert rate_scales(model, 0.5)["encoder.context.table.weight"] == 0.25
    freeze(model, "embeddings")
    assert not model.encoder.context.table.weight.requires_grad
    assert trained(model) == {"encoder.blocks.0", "encoder.blocks.1", "heads.mlm"}
