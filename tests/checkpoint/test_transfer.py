from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.transfer import with_head
from unmask.nn.pooling import Pooler
from unmask.tasks.heads import PooledClassifier
from unmask.tasks.masked_lm import NextSentenceHead

SOURCES = [(), ("mlm",), ("mlm", "nsp"), ("pooler",), ("mlm", "pooler"), ("pooled_classifier",)]
WITH_POOLER = {"nsp", "pooler", "pooled_classifier"}


def generator(seed: int = 7) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("heads", SOURCES, ids=str)
@pytest.mark.parametrize("head", ["pooled_classifier", "classifier", "span"])
def test_the_encoder_is_shared_and_the_head_is_fresh(
    make_bundle: Callable[..., Bundle], heads: tuple[str, ...], head: str
) -> None:
    bundle = make_bundle(heads)
    model, has_pooler = with_head(bundle, head, 5, generator())
    assert model.encoder is bundle.model.encoder
    assert list(model.heads) == [head]
    assert has_pooler is bool(WITH_POOLER & set(heads))
    name = "outputs" if head == "span" else "classifier"
    weight = model.get_parameter(f"heads.{head}.{name}.weight")
    assert weight.shape == (2 if head == "span" else 5, 8)
    assert 0.01 < weight.std() < 0.03
    assert weight.abs().max() <= 2 * bundle.config.initializer_range
    assert not model.get_parameter(f"heads.{head}.{name}.bias").any()


@pytest.mark.parametrize("heads", SOURCES, ids=str)
def test_a_pooler_is_shared_from_wherever_it_lies(
    make_bundle: Callable[..., Bundle], heads: tuple[str, ...]
) -> None:
    bundle = make_bundle(heads)
    source = [part for part in bundle.model.heads.values() if isinstance(part, Pooler)] + [
        part.pooler
        for part in bundle.model.heads.values()
        if isinstance(part, NextSentenceHead | PooledClassifier)
    ]
    head = with_head(bundle, "pooled_classifier", 2, generator()).model.heads["pooled_classifier"]
    assert isinstance(head, PooledClassifier)
    assert [head.pooler] == source or (not source and not head.pooler.dense.bias.any())


def test_the_head_follows_the_generator(make_bundle: Callable[..., Bundle]) -> None:
    bundle = make_bundle()
    first, second, other = (
        with_head(bundle, "pooled_classifier", 3, generator(seed)).model.heads.state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], tensor) for name, tensor in second.items())
    assert not torch.equal(
        first["pooled_classifier.classifier.weight"], other["pooled_classifier.classifier.weight"]
    )


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_in_its_mode_and_precision(
    make_bundle: Callable[..., Bundle], training: bool
) -> None:
    bundle = make_bundle()
    bundle.model.double().train(training)
    model = with_head(bundle, "classifier", 3, generator()).model
    assert {part.training for part in model.modules()} == {training}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}
