"""What holds for every embedding loss, alone and in its Matryoshka wrapping."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from unmask.tasks.embedding_losses.config import LOSS_CONFIGS
from unmask.tasks.embedding_losses.loss import EmbeddingLoss
from unmask.tasks.embedding_losses.registry import LOSSES, build

DIMENSION, NUM_CLASSES = 6, 3
Draw = Callable[..., tuple[Tensor, Tensor | None]]

FORMS = {
    "plain": {},
    "matryoshka": {"matryoshka": {"dims": (DIMENSION, 4, 2), "weights": (1.0, 0.5, 0.25)}},
}
each_loss = pytest.mark.parametrize("form", FORMS)
each_name = pytest.mark.parametrize("name", LOSSES)


def built(name: str, form: str = "plain") -> EmbeddingLoss:
    """The loss with default settings, its weights in fp64."""
    torch.manual_seed(0)
    return build(LOSS_CONFIGS[name](**FORMS[form]), DIMENSION, NUM_CLASSES).double()


def chunks(size: int) -> Iterator[slice]:
    """Two uneven parts of a batch."""
    yield slice(0, size // 3)
    yield slice(size // 3, size)


def test_settings_and_losses_have_the_same_names() -> None:
    assert list(LOSSES) == list(LOSS_CONFIGS)
    for name, config in LOSS_CONFIGS.items():
        assert config().name == LOSSES[name].name == name


@each_loss
@each_name
def test_it_gives_what_it_says_and_learns(name: str, form: str, draw: Draw) -> None:
    loss = built(name, form)
    embeddings, labels = draw(name)
    found = loss(embeddings.requires_grad_(), labels)
    found.sum().backward()

    assert found.shape == (() if loss.scope == "batch" else (len(embeddings),))
    assert found.dtype is torch.float64
    assert (found >= 0).all()
    assert embeddings.grad is not None
    assert torch.isfinite(embeddings.grad).all()
    assert embeddings.grad.abs().max() > 1e-4
    assert all(weight.grad is not None for weight in loss.parameters())


@each_loss
@each_name
def test_its_gradient_is_that_of_finite_differences(name: str, form: str, draw: Draw) -> None:
    loss = built(name, form)
    embeddings, labels = draw(name, num_examples=4, seed=1)

    assert torch.autograd.gradcheck(lambda x: loss(x, labels), embeddings.requires_grad_())


@each_loss
@each_name
def test_the_order_of_the_examples_changes_nothing(name: str, form: str, draw: Draw) -> None:
    loss = built(name, form)
    embeddings, labels = draw(name)
    order = torch.randperm(len(embeddings), generator=torch.Generator().manual_seed(3))
    found = loss(embeddings, labels)
    again = loss(embeddings[order], None if labels is None else labels[order])

    expected = found if loss.scope == "batch" else found[order]
    torch.testing.assert_close(again, expected, rtol=0, atol=1e-12)


@each_loss
@each_name
def test_scope_says_whether_examples_know_of_each_other(name: str, form: str, draw: Draw) -> None:
    loss = built(name, form)
    embeddings, labels = draw(name)
    whole = loss(embeddings, labels)
    parts = [
        loss(embeddings[part], None if labels is None else labels[part])
        for part in chunks(len(embeddings))
    ]

    if loss.scope == "example":
        torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-12)
    else:
        summed = torch.stack(parts).sum()
        assert (summed - whole).abs() > 1e-6
        assert (summed / len(parts) - whole).abs() > 1e-6


@each_loss
@each_name
def test_it_keeps_nothing_and_changes_nothing(name: str, form: str, draw: Draw) -> None:
    loss = built(name, form)
    embeddings, labels = draw(name)
    before = embeddings.clone(), None if labels is None else labels.clone()
    state, drawn = {k: v.clone() for k, v in loss.state_dict().items()}, torch.get_rng_state()
    first = loss(embeddings, labels)

    assert torch.equal(first, loss(embeddings, labels))
    assert torch.equal(embeddings, before[0])
    assert labels is None or torch.equal(labels, before[1])
    assert torch.equal(drawn, torch.get_rng_state())
    assert all(torch.equal(value, state[key]) for key, value in loss.state_dict().items())
    assert list(loss.buffers()) == []


@each_name
def test_embeddings_may_come_from_a_cache(name: str, draw: Draw) -> None:
    # GradCache: embed in parts, take the gradient of the embeddings, embed the parts again.
    loss = built(name)
    inputs, labels = draw(name)
    encoder = nn.Sequential(nn.Linear(DIMENSION, DIMENSION), nn.Tanh()).double()
    encoder.requires_grad_()
    loss(encoder(inputs), labels).sum().backward()
    expected = [weight.grad.clone() for weight in encoder.parameters()]
    of_loss = [weight.grad.clone() for weight in loss.parameters()]
    encoder.zero_grad()
    loss.zero_grad()

    with torch.no_grad():
        cached = torch.cat([encoder(inputs[part]) for part in chunks(len(inputs))])
    loss(cached.requires_grad_(), labels).sum().backward()
    for part in chunks(len(inputs)):
        encoder(inputs[part]).backward(cached.grad[part])

    for found, wanted in zip(
        [weight.grad for weight in [*encoder.parameters(), *loss.parameters()]],
        [*expected, *of_loss],
        strict=True,
    ):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


@each_name
def test_embeddings_of_other_processes_need_no_gradient(name: str, draw: Draw) -> None:
    loss = built(name)
    embeddings, labels = draw(name)
    loss(embeddings.requires_grad_(), labels).sum().backward()
    for part in chunks(len(embeddings)):
        mine = embeddings[part].detach().requires_grad_()
        gathered = embeddings.detach().clone()
        gathered[part] = mine
        loss(gathered, labels).sum().backward()
        torch.testing.assert_close(mine.grad, embeddings.grad[part], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@each_loss
@each_name
def test_half_precision_is_computed_in_single(
    name: str, form: str, dtype: torch.dtype, draw: Draw
) -> None:
    loss = built(name, form).float()
    embeddings, labels = draw(name)
    half = embeddings.to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(half.requires_grad_(), labels)
    found.sum().backward()

    assert found.dtype is torch.float32
    assert torch.equal(found, loss(half.detach().float(), labels))
    assert half.grad.dtype is dtype
    assert torch.isfinite(half.grad).all()


@each_loss
@each_name
def test_vectors_of_length_zero_do_no_harm(name: str, form: str, draw: Draw) -> None:
    loss = built(name, form).float()
    embeddings, labels = draw(name)
    nothing = embeddings.float()
    nothing[0] = 0.0
    nothing[1, 0] = 0.0
    found = loss(nothing.requires_grad_(), labels)
    found.sum().backward()

    assert torch.isfinite(found).all()
    # Torch's own normalisation would give 1e12.
    assert nothing.grad.abs().max() < 1e3


@each_loss
@each_name
def test_equal_vectors_do_no_harm(name: str, form: str, draw: Draw) -> None:
    loss = built(name, form).float()
    embeddings, labels = draw(name)
    equal = embeddings[:1, :1].float().expand(embeddings.shape).clone().requires_grad_()
    found = loss(equal, labels)
    found.sum().backward()

    assert torch.isfinite(found).all()
    assert torch.isfinite(equal.grad).all()


@each_name
def test_one_example_is_a_batch(name: str, draw: Draw) -> None:
    loss = built(name)
    embeddings, labels = draw(name, num_examples=1)
    found = loss(embeddings.requires_grad_(), labels)
    found.sum().backward()

    assert torch.isfinite(found).all()
    if loss.scope == "batch":
        assert found.item() == 0.0
        assert embeddings.grad.abs().max() == 0.0


@each_name
def test_what_is_no_number_is_seen_in_the_loss(name: str, draw: Draw) -> None:
    # The training loop skips a step whose loss is not finite; a loss must not hide it.
    embeddings, labels = draw(name)
    for example in range(len(embeddings)):
        broken = embeddings.clone()
        broken[example] = float("nan")
        assert not torch.isfinite(built(name)(broken, labels)).all()


@each_name
def test_matryoshka_of_the_whole_is_the_loss_of_unit_vectors(name: str, draw: Draw) -> None:
    embeddings, labels = draw(name)
    if LOSSES[name].labels == "vectors":
        labels = nn.functional.normalize(labels, dim=-1)
    config = LOSS_CONFIGS[name](matryoshka={"dims": (DIMENSION,)})
    torch.manual_seed(0)
    wrapped = build(config, DIMENSION, NUM_CLASSES).double()
    expected = built(name)(nn.functional.normalize(embeddings, dim=-1), labels)

    torch.testing.assert_close(wrapped(embeddings, labels), expected, rtol=0, atol=1e-12)
    for attribute in ("name", "scope", "texts", "labels", "passes", "uses_ids"):
        assert getattr(wrapped, attribute) == getattr(built(name), attribute)
