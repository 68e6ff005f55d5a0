from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.transfer import num_kept, with_head, with_sentences
from unmask.data.labelled.examples import EmbeddingExample
from unmask.nn.pooling import Pooler
from unmask.tasks import sentence
from unmask.tasks.embedding import Embedding
from unmask.tasks.embedding_config import EmbeddingConfig
from unmask.tasks.heads import PooledClassifier
from unmask.tasks.masked_lm import NextSentenceHead
from unmask.tasks.sentence import SentenceEmbedding
from unmask.tasks.sentence_config import DenseConfig, SentenceConfig

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


WIDE, NARROW = (
    DenseConfig(in_features=8, out_features=6),
    DenseConfig(in_features=6, out_features=4, activation="identity"),
)


def trained_and_begun(
    make_bundle: Callable[..., Bundle], layers: Any, **settings: Any
) -> tuple[Any, Any]:
    """The dense layers of a sentence encoder, and those with which its training begins."""
    before = SentenceConfig(layers=layers, prompts={"query": "old: "})
    bundle = make_bundle(())
    bundle.model.heads[sentence.HEAD] = sentence.build(before, 8)
    bundle = replace(bundle, task=SentenceEmbedding(before))
    some = [EmbeddingExample(str(i), ("the whale", "the sea"), None, f"x:{i}") for i in range(4)]
    task = Embedding.begin(EmbeddingConfig.model_validate(settings), some).standing_on(before, 8)
    model = with_sentences(bundle, task, generator()).model
    return tuple(
        [part.linear for part in heads[sentence.HEAD].layers if hasattr(part, "linear")]
        for heads in (bundle.model.heads, model.heads)
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"prompts": {"query": "new: ", "document": "d: "}},
        {"normalize": True},
        {"normalize": False},
        {"pooling": ["mean"], "max_length": 8},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "layers", [[WIDE], [WIDE, "normalize"], [WIDE, NARROW], ["normalize", WIDE, NARROW]], ids=str
)
def test_trained_dense_layers_go_on(
    make_bundle: Callable[..., Bundle], layers: Any, settings: dict[str, Any]
) -> None:
    trained, begun = trained_and_begun(make_bundle, layers, **settings)

    assert len(begun) == len(trained) == sum(layer != "normalize" for layer in layers)
    for one, other in zip(trained, begun, strict=True):
        assert one is other  # and so drawn once: the same weights
        assert one.weight.abs().sum() > 0


def test_a_dense_layer_of_its_own_is_drawn_anew(make_bundle: Callable[..., Bundle]) -> None:
    trained, begun = trained_and_begun(make_bundle, [WIDE], dense=3)
    assert (len(begun), begun[0].out_features) == (1, 3)
    assert 0.0 < begun[0].weight.abs().max() <= 0.04
    trained, begun = trained_and_begun(make_bundle, [WIDE], pooling=["cls"])
    assert (len(trained), begun) == (1, [])


def test_layers_go_on_up_to_the_first_that_differs() -> None:
    def settings(*layers: Any, pooling: Any = ("mean",)) -> SentenceConfig:
        return SentenceConfig(layers=layers, pooling=pooling)

    other = NARROW.model_copy(update={"bias": False})
    assert num_kept(settings(WIDE, NARROW), settings(WIDE, NARROW, "normalize")) == 2
    assert num_kept(settings(WIDE, NARROW), settings(WIDE, other)) == 1
    assert num_kept(settings(WIDE), settings(WIDE, pooling=("cls",))) == 0
    assert num_kept(settings(), settings(WIDE)) == 0
