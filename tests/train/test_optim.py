from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from unmask.checkpoint.assemble import assemble
from unmask.recipe.config import Pretrain
from unmask.tasks.task import Model
from unmask.train.config import OptimConfig
from unmask.train.optim import Muon, Optimizers, orthogonalised

ADAMW = OptimConfig(weight_decay=0.1)
MUON = OptimConfig(name="muon", weight_decay=0.1)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def give_gradients(model: Model, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def weights(model: Model) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def muon(matrix: Tensor, parts: int, rate: float = 0.1, weight_decay: float = 0.0) -> Muon:
    return Muon([(matrix, parts)], rate, momentum=0.95, iterations=5, weight_decay=weight_decay)


def test_adamw_is_torchs_plain_adamw(make_model: Callable[..., Model]) -> None:
    ours, plain = make_model(), make_model()
    optimizers = Optimizers(ours, ADAMW)
    groups = [
        {"params": [p for p in plain.parameters() if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in plain.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(
        groups, lr=5e-4, betas=(0.9, 0.999), eps=1e-6, foreach=False, fused=False
    )

    for step, share in enumerate([0.0, 0.5, 1.0, 0.25]):
        give_gradients(ours, step)
        give_gradients(plain, step)
        optimizers.step(share)
        for group in reference.param_groups:
            group["lr"] = 5e-4 * share
        reference.step()

    for name, expected in weights(plain).items():
        torch.testing.assert_close(weights(ours)[name], expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("config", [ADAMW, MUON], ids=["adamw", "muon"])
@pytest.mark.parametrize("next_sentence", [False, True])
def test_every_parameter_is_stepped_by_exactly_one_optimizer(
    next_sentence: bool, config: OptimConfig, make_model: Callable[..., Model]
) -> None:
    model = make_model(next_sentence=next_sentence)
    optimizers = Optimizers(model, config)

    stepped = [p for m in optimizers.members for group in m.param_groups for p in group["params"]]

    assert sorted(map(id, stepped)) == sorted(id(p) for p in model.parameters())
    tied = model.get_submodule("encoder.embedding.tokens").weight
    assert model.get_submodule("heads.mlm.decoder").weight is tied
    assert sum(parameter is tied for parameter in stepped) == 1


@pytest.mark.parametrize("config", [ADAMW, MUON], ids=["adamw", "muon"])
def test_biases_and_norms_do_not_decay_and_all_else_does(
    config: OptimConfig, make_model: Callable[..., Model]
) -> None:
    model = make_model()
    optimizers = Optimizers(model, config)
    before = weights(model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)

    optimizers.step(1.0)

    for name, after in weights(model).items():
        is_muons = config.name == "muon" and name.startswith("encoder.blocks.")
        rate = config.muon_learning_rate if is_muons else config.learning_rate
        decay = 0.1 if before[name].ndim == 2 else 0.0
        torch.testing.assert_close(after, before[name] * (1 - rate * decay), rtol=1e-6, atol=0.0)
    vectors = {n for n in before if before[n].ndim < 2}
    assert {n for n in vectors if "norm" not in n and not n.endswith("bias")} == set()


def test_muon_takes_the_blocks_matrices_and_adamw_the_rest(
    make_model: Callable[..., Model],
) -> None:
    model = make_model(next_sentence=True)
    optimizers = Optimizers(model, MUON)

    by_muon = {
        optimizers.names[id(p)] for g in optimizers.members[0].param_groups for p in g["params"]
    }

    names = ("attention.qkv", "attention.output", "feedforward.widen", "feedforward.narrow")
    assert by_muon == {f"encoder.blocks.{i}.{name}.weight" for i in (0, 1) for name in names}


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 16, 64), (1, 32, 48)])
def test_orthogonalising_brings_singular_values_near_one(shape: tuple[int, ...]) -> None:
    matrices = 50 * random(*shape)

    found = orthogonalised(matrices, iterations=5)

    values = torch.linalg.svdvals(found)
    # The quintic trades exactness for speed: its authors give 0.7 to 1.2; a square one has values
    # near zero, which five iterations lift only part of the way.
    assert values.max() < 1.25
    assert values.median() == pytest.approx(0.9, abs=0.25)
    if shape[1] < shape[2]:
        assert values.min() > 0.6


def test_orthogonalising_keeps_the_singular_vectors() -> None:
    matrix = random(16, 48)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)

    turned = left.T @ orthogonalised(matrix[None], 5)[0] @ right.T

    off_diagonal = turned - turned.diagonal().diag()
    # bfloat16 carries three decimal digits through fifteen matrix products.
    assert off_diagonal.abs().max() < 0.05
    assert turned.diagonal().min() > 0.6


def test_a_fused_projection_is_three_matrices() -> None:
    fused, tall = (random(48, 16).requires_grad_() for _ in range(2))
    parts = [part.clone().requires_grad_() for part in fused.detach().chunk(3)]
    together, as_one = muon(fused, parts=3), muon(tall, parts=1)
    apart = [muon(part, parts=1) for part in parts]
    scale = torch.tensor([1.0, 10.0, 100.0]).repeat_interleave(16)[:, None]

    for step in range(3):
        gradient = random(48, 16, seed=step) * scale
        fused.grad, tall.grad = gradient.clone(), gradient.clone()
        for part, share in zip(parts, gradient.chunk(3), strict=True):
            part.grad = share.clone()
        for optimizer in (together, as_one, *apart):
            optimizer.step()

    torch.testing.assert_close(fused, torch.cat(parts), rtol=1e-5, atol=1e-6)
    assert (fused - tall).abs().max() > 0.1


@pytest.mark.parametrize("shape", [(16, 64), (64, 16), (32, 32)])
def test_muons_update_is_as_large_as_adamws(shape: tuple[int, int]) -> None:
    matrix = torch.zeros(shape, requires_grad=True)
    matrix.grad = 1e-4 * random(*shape)

    muon(matrix, parts=1, rate=0.1).step()

    root_mean_square = matrix.detach().square().mean().sqrt().item()
    assert root_mean_square == pytest.approx(0.2 * 0.1, rel=0.2)


def test_muon_leaves_a_matrix_without_gradient_alone() -> None:
    matrix = random(4, 4).requires_grad_()

    muon(matrix, parts=1, weight_decay=0.5).step()

    assert torch.equal(matrix, random(4, 4))


@pytest.mark.parametrize("config", [ADAMW, MUON], ids=["adamw", "muon"])
def test_a_stored_state_continues_bit_for_bit(
    config: OptimConfig, make_model: Callable[..., Model]
) -> None:
    model, resumed = make_model(), make_model()
    optimizers = Optimizers(model, config)
    for step in range(3):
        give_gradients(model, step)
        optimizers.step(0.7)
    stored = {name: tensor.clone() for name, tensor in optimizers.tensors().items()}
    resumed.load_state_dict(model.state_dict())
    again = Optimizers(resumed, config)
    again.load(stored)

    for step in range(3, 6):
        for one, steps in ((model, optimizers), (resumed, again)):
            give_gradients(one, step)
            steps.step(0.5)

    for name, expected in weights(model).items():
        assert torch.equal(weights(resumed)[name], expected), name
    assert again.tensors().keys() == stored.keys()
    assert all(name.rpartition(".")[0] in weights(model) for name in stored)


def test_loading_shares_no_memory_with_what_was_stored(make_model: Callable[..., Model]) -> None:
    model = make_model()
    optimizers = Optimizers(model, ADAMW)
    give_gradients(model, 0)
    optimizers.step(1.0)
    stored = {name: tensor.clone() for name, tensor in optimizers.tensors().items()}
    before = {name: tensor.clone() for name, tensor in stored.items()}

    optimizers.load(stored)
    optimizers.step(1.0)

    assert all(torch.equal(stored[name], before[name]) for name in stored)


@pytest.mark.parametrize(("family", "name", "parts"), [
    ("bert", "attention.qkv", 3),
    ("bert", "feedforward.widen", 1),
    ("deberta-v2", "attention.qkv", 3),
    ("modernbert", "attention.qkv", 3),
    ("modernbert", "feedforward.widen", 2),
])  # fmt: skip
def test_fused_projections_are_as_many_matrices_to_muon(family: str, name: str, parts: int) -> None:
    config = Pretrain(family=family, preset="tiny").encoder(vocab_size=50)  # type: ignore[arg-type]
    model = assemble(config, {"mlm"})

    muon = Optimizers(model, OptimConfig(name="muon")).members[0]

    assert isinstance(muon, Muon)
    found = dict(zip(map(id, muon.param_groups[0]["params"]), muon.parts, strict=True))
    assert found[id(model.get_parameter(f"encoder.blocks.0.{name}.weight"))] == parts
