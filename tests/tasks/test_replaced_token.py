from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.batch import IGNORED, Batch, pack
from unmask.checkpoint.assemble import assemble
from unmask.data.drawing import DRAW
from unmask.models.config import ElectraConfig
from unmask.nn.borrowed import BorrowedTokens
from unmask.nn.init import initialise
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.replaced_token import (
    WEIGHT,
    GeneratorAndDiscriminator,
    ReplacedToken,
    replace_tokens,
)

MASK = 4
TASK = ReplacedToken()
SIZES = {
    "vocab_size": 40,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 16,
    "embedding_size": 16,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def asked(rows: list[list[int]], picked: list[list[int]], draws: list[float]) -> Batch:
    """Masks these positions of each sequence, and brings a number for each in order."""
    batch = pack(rows)
    labels = torch.full_like(batch.input_ids, IGNORED)
    numbers = torch.full((batch.num_tokens,), float(IGNORED))
    places = [
        start + position
        for start, positions in zip(batch.starts().tolist(), picked, strict=True)
        for position in positions
    ]
    labels[places] = batch.input_ids[places]
    numbers[places] = torch.tensor(draws)
    ids = batch.input_ids.clone()
    ids[places] = MASK
    return replace(batch, input_ids=ids, labels={"mlm": labels, DRAW: numbers})


def some() -> Batch:
    """Three sequences of other lengths."""
    rows = [[2, 9, 8, 7, 3], [2, 11, 12, 13, 14, 15, 3], [2, 30, 3]]
    return asked(rows, [[1, 3], [2, 4, 5], [1]], [0.1, 0.9, 0.5, 0.3, 0.7, 0.2])


@pytest.fixture
def make_both() -> Callable[..., GeneratorAndDiscriminator]:
    """A generator half as wide, and a discriminator whose embedding is as said."""

    def make(embeddings: str) -> GeneratorAndDiscriminator:
        random = torch.Generator().manual_seed(0)
        models = [
            assemble(ElectraConfig(hidden_size=width, intermediate_size=2 * width, **SIZES), {head})
            for width, head in ((16, "mlm"), (32, "rtd"))
        ]
        for model in models:
            initialise(model, 0.2, random)
        generator, discriminator = models
        lender = generator.encoder.embedding.tokens
        if embeddings == "shared":
            discriminator.encoder.embedding.tokens = lender
        if embeddings == "gradient-disentangled":
            discriminator.encoder.embedding.tokens = BorrowedTokens(lender)
        return GeneratorAndDiscriminator(generator, discriminator)

    return make


def gradients(model: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad(set_to_none=True)
    loss.backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def loss_of(outputs: Any, batch: Batch, *names: str) -> Tensor:
    counts = TASK.counts(batch)
    terms = [t for t in TASK.loss(outputs, batch) if t.name in names]
    return torch.stack([t.weight * t.total / counts[t.name] for t in terms]).sum()


@pytest.mark.parametrize(
    ("number", "token"),
    [(0.0, 0), (0.24, 0), (0.26, 1), (0.74, 1), (0.76, 2), (0.999, 2), (1.0, 3)],
)
def test_a_token_is_the_one_under_its_number(number: float, token: int) -> None:
    """Probabilities 1/4, 1/2, 1/4 and next to none."""
    batch = asked([[0, 1, 2]], [[1]], [number])
    scores = torch.tensor([[0.25, 0.5, 0.25, 1e-9]]).log()

    replaced, is_replaced = replace_tokens(batch, scores)

    assert replaced.input_ids.tolist() == [0, token, 2]
    assert is_replaced.tolist() == [0.0, float(token != 1), 0.0]


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    shares = torch.tensor([0.05, 0.15, 0.3, 0.5])
    size = 4000
    numbers = torch.rand(size, generator=torch.Generator().manual_seed(0)).tolist()
    batch = asked([[0] * size], [list(range(size))], numbers)

    replaced, _ = replace_tokens(batch, shares.log().expand(size, 4))

    found = torch.bincount(replaced.input_ids, minlength=4) / size
    assert torch.allclose(found, shares, atol=0.03)


def test_other_positions_stay_and_a_hit_is_no_replacement() -> None:
    batch = some()
    rows = (batch.labels["mlm"] != IGNORED).nonzero().squeeze(1)
    scores = torch.full((len(rows), 40), -50.0)
    scores[torch.arange(len(rows)), batch.labels["mlm"][rows]] = 50.0

    replaced, is_replaced = replace_tokens(batch, scores)

    original = batch.input_ids.clone()
    original[rows] = batch.labels["mlm"][rows]
    assert torch.equal(replaced.input_ids, original)
    assert is_replaced.sum() == 0


def test_the_loss_is_electras(make_both: Callable[..., GeneratorAndDiscriminator]) -> None:
    """Mean cross-entropy of the picked plus 50 times the mean over all tokens."""
    model, batch = make_both("separate"), some()
    outputs = model(batch, TASK)
    replaced, is_replaced = replace_tokens(batch, outputs["mlm"].detach())
    rows = (batch.labels["mlm"] != IGNORED).nonzero().squeeze(1)

    hidden = model.generator.encoder(batch)[rows]
    mlm = functional.cross_entropy(model.generator.heads["mlm"](hidden), batch.labels["mlm"][rows])
    judged = torch.sigmoid(model.heads["rtd"](model.encoder(replaced), replaced))
    right = torch.where(is_replaced.bool(), judged, 1 - judged)
    expected = mlm - 50 * right.log().mean()

    found = loss_of(outputs, batch, "mlm", "rtd")
    assert WEIGHT == 50
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert TASK.counts(batch) == {"mlm": 6.0, "rtd": 15.0}


@pytest.mark.parametrize("embeddings", ["separate", "shared", "gradient-disentangled"])
def test_detection_does_not_train_the_generator_but_by_shared_vectors(
    embeddings: str, make_both: Callable[..., GeneratorAndDiscriminator]
) -> None:
    model, batch = make_both(embeddings), some()

    found = gradients(model, loss_of(model(batch, TASK), batch, "rtd"))

    assert not [name for name in found if name.startswith("generator.")]
    shared = model.generator.encoder.embedding.tokens.weight.grad
    assert (shared is not None) == (embeddings == "shared")
    assert ("encoder.embedding.tokens.difference.weight" in found) == (
        embeddings == "gradient-disentangled"
    )


def test_borrowed_vectors_are_the_lenders_at_first_and_follow_it(
    make_both: Callable[..., GeneratorAndDiscriminator],
) -> None:
    model = make_both("gradient-disentangled")
    lender = model.generator.encoder.embedding.tokens
    borrowed = model.encoder.embedding.tokens
    ids = torch.tensor([3, 17, 3])

    assert torch.equal(borrowed(ids), lender(ids))
    with torch.no_grad():
        lender.weight += 1.0
        borrowed.difference.weight += 0.5
    assert torch.allclose(borrowed(ids), lender(ids) + 0.5)


@pytest.mark.parametrize("embeddings", ["separate", "shared", "gradient-disentangled"])
def test_the_published_discriminator_judges_as_the_trained_one(
    embeddings: str, make_both: Callable[..., GeneratorAndDiscriminator]
) -> None:
    model, batch = make_both(embeddings).eval(), some()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))

    published = model.published()

    with torch.no_grad():
        replaced, _ = replace_tokens(batch, model.generator(batch, MaskedLM())["mlm"])
        assert torch.equal(published(replaced, TASK)["rtd"], model(batch, TASK)["rtd"])
    names = published.state_dict().keys()
    assert "encoder.embedding.tokens.weight" in names
    assert not [n for n in names if n.startswith("generator.") or "difference" in n]
    config = ElectraConfig(hidden_size=32, intermediate_size=64, **SIZES)
    assert set(names) == set(assemble(config, {"rtd"}).state_dict())


@pytest.mark.parametrize("embeddings", ["separate", "shared", "gradient-disentangled"])
def test_what_lies_beside_makes_the_published_model_whole_again(
    embeddings: str, make_both: Callable[..., GeneratorAndDiscriminator]
) -> None:
    model, other = make_both(embeddings), make_both(embeddings)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape))

    other.restore(model.published().state_dict(), model.beside())

    for name, tensor in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor), name


def test_hits_count_tokens_judged_rightly(
    make_both: Callable[..., GeneratorAndDiscriminator],
) -> None:
    model, batch = make_both("separate"), some()
    outputs = model(batch, TASK)
    _, is_replaced = replace_tokens(batch, outputs["mlm"])

    perfect = {**outputs, "rtd": 2 * is_replaced - 1}

    assert TASK.hits(perfect, batch)["rtd"] == batch.num_tokens
    assert TASK.hits({**perfect, "rtd": -perfect["rtd"]}, batch)["rtd"] == 0
