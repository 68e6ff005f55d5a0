"""Losses of single examples and of hard pairs, by hand."""

from __future__ import annotations

import logging
import math

import pytest
import torch

from unmask.tasks.embedding_losses.config import (
    CosineSimilarityConfig,
    EmbeddingMSEConfig,
    KLDivergenceConfig,
    MarginMSEConfig,
    MultipleNegativesRankingConfig,
    OnlineContrastiveConfig,
    SoftmaxConfig,
    TripletConfig,
)
from unmask.tasks.embedding_losses.contrastive import OnlineContrastive
from unmask.tasks.embedding_losses.cosine_similarity import CosineSimilarity
from unmask.tasks.embedding_losses.distillation import EmbeddingMSE, KLDivergence, MarginMSE
from unmask.tasks.embedding_losses.matryoshka import Matryoshka
from unmask.tasks.embedding_losses.registry import build
from unmask.tasks.embedding_losses.similarity import cosine, euclidean_distance, unit
from unmask.tasks.embedding_losses.softmax import Softmax
from unmask.tasks.embedding_losses.triplet import Triplet


def on_a_line(*distances: float) -> torch.Tensor:
    """(G, 2, 1) pairs that far apart."""
    return torch.tensor([[[0.0], [distance]] for distance in distances])


def test_softmax_reads_its_features_in_the_papers_order() -> None:
    given = SoftmaxConfig(features=("product", "vectors", "difference"))
    loss = build(given, dimension=2, num_classes=2)
    assert isinstance(loss, Softmax)
    assert loss.classifier.in_features == 8
    weights = torch.zeros(2, 8)
    weights[1, 4:6] = torch.tensor([1.0, 10.0])  # |u - v|
    loss.classifier.load_state_dict({"weight": weights, "bias": torch.zeros(2)})
    found = loss(torch.tensor([[[1.0, 2.0], [3.0, 1.8]]]), torch.tensor([0]))

    assert found.item() == pytest.approx(math.log1p(math.exp(2 + 2)), rel=1e-6)


def test_scores_become_cosines_linearly() -> None:
    loss = CosineSimilarity(CosineSimilarityConfig(score_range=(1, 5), cosine_range=(-1, 1)))
    orthogonal = torch.eye(2).expand(3, 2, 2)

    assert loss(orthogonal, torch.tensor([1.0, 3.0, 5.0])).tolist() == [1.0, 0.0, 1.0]


def test_of_pairs_of_one_kind_those_beyond_the_mean_are_hard() -> None:
    loss = OnlineContrastive(OnlineContrastiveConfig(distance="euclidean", margin=5.0))

    assert loss(on_a_line(1, 2, 6), torch.ones(3)).item() == 36.0
    assert loss(on_a_line(1, 2, 6), torch.zeros(3)).item() == 16.0 + 9.0


def test_where_both_kinds_are_apart_no_pair_is_hard() -> None:
    loss = OnlineContrastive(OnlineContrastiveConfig(distance="euclidean", margin=5.0))
    pairs = on_a_line(1, 2, 2.5, 3).requires_grad_()
    found = loss(pairs, torch.tensor([1, 1, 0, 0]))
    found.backward()

    assert found.item() == 0.0
    assert pairs.grad is not None


@pytest.mark.parametrize("distance", ["cosine", "euclidean", "manhattan"])
def test_a_triplet_that_is_far_enough_apart_costs_nothing(distance: str) -> None:
    loss = Triplet(TripletConfig(distance=distance, margin=0.5))
    anchor, other = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 0.0])

    assert loss(torch.stack([anchor, anchor, other])[None]).tolist() == [0.0]
    assert loss(torch.stack([anchor, other, other])[None]).tolist() == [0.5]


def test_margins_may_be_given_for_scores() -> None:
    loss = MarginMSE(MarginMSEConfig(similarity="cosine", scale=10))
    texts = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    scores = torch.randn(4, 4, generator=torch.Generator().manual_seed(1))

    torch.testing.assert_close(loss(texts, scores), loss(texts, scores[:, :1] - scores[:, 1:]))


def test_a_student_who_agrees_with_the_teacher_has_nothing_to_learn() -> None:
    texts = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    scores = (texts[:, :1] * texts[:, 1:]).sum(-1)

    assert KLDivergence(KLDivergenceConfig())(texts, scores + 7).abs().max() < 1e-6
    assert MarginMSE(MarginMSEConfig())(texts, scores + 7).abs().max() < 1e-6
    assert EmbeddingMSE(EmbeddingMSEConfig(), 3)(texts, texts).max() == 0.0


def test_a_teacher_who_is_very_sure_is_learned_from() -> None:
    loss = KLDivergence(KLDivergenceConfig())
    texts = torch.ones(1, 3, 2).requires_grad_()
    found = loss(texts, torch.tensor([[1e4, -1e4]]))
    found.backward()

    assert found.item() == pytest.approx(math.log(2))
    assert torch.isfinite(texts.grad).all()


def test_a_vector_of_length_zero_is_like_nothing_and_gets_no_gradient() -> None:
    nothing, something = torch.zeros(3, requires_grad=True), torch.ones(3, requires_grad=True)
    found = cosine(nothing, something)
    found.backward()

    assert found.item() == 0.0
    assert nothing.grad.tolist() == [0.0] * 3
    assert something.grad.tolist() == [0.0] * 3
    assert unit(torch.full((4,), 1e-9)).tolist() == [0.5] * 4


def test_equal_vectors_have_a_distance_with_a_gradient_of_zero() -> None:
    vector = torch.ones(3, requires_grad=True)
    euclidean_distance(vector, vector.detach().clone()).backward()

    assert vector.grad.tolist() == [0.0] * 3


def test_matryoshka_gives_a_loss_with_weights_one_set_for_each_size() -> None:
    config = SoftmaxConfig(matryoshka={"dims": (4, 2)})
    loss = build(config, dimension=4, num_classes=3)
    assert isinstance(loss, Matryoshka)

    shapes = {name: tuple(weight.shape) for name, weight in loss.named_parameters()}
    assert shapes == {
        "losses.0.classifier.weight": (3, 12),
        "losses.0.classifier.bias": (3,),
        "losses.1.classifier.weight": (3, 6),
        "losses.1.classifier.bias": (3,),
    }


@pytest.mark.parametrize("normalize", [True, False])
def test_matryoshka_of_a_teachers_own_vectors_costs_nothing(normalize: bool) -> None:
    config = EmbeddingMSEConfig(matryoshka={"dims": (6, 3), "normalize": normalize})
    texts = torch.randn(4, 2, 6, generator=torch.Generator().manual_seed(0))

    assert build(config, dimension=6)(texts, texts).max() == 0.0
    assert (build(config, dimension=6)(texts, -texts) > 1.0).all()


def test_matryoshka_with_a_map_keeps_the_teachers_vectors_whole() -> None:
    config = EmbeddingMSEConfig(teacher_dimension=5, matryoshka={"dims": (6, 3)})
    loss = build(config, dimension=6)
    texts = torch.randn(4, 2, 6, generator=torch.Generator().manual_seed(0))

    assert loss(texts, torch.randn(4, 2, 5)).shape == (4,)


def test_matryoshka_with_a_map_keeps_vectors_of_equal_width_whole_too() -> None:
    config = EmbeddingMSEConfig(teacher_dimension=6, matryoshka={"dims": (6, 3)})
    loss = build(config, 6)
    generator = torch.Generator().manual_seed(0)
    embeddings, labels = (torch.randn(4, 2, 6, generator=generator) for _ in range(2))

    found = loss(embeddings, labels)

    assert isinstance(loss, Matryoshka)
    expected = torch.zeros(4)
    for size, inner in zip((6, 3), loss.losses, strict=True):
        cut = torch.nn.functional.normalize(embeddings[..., :size], dim=-1)
        expected = expected + (inner.map(cut) - labels).square().mean((1, 2))
    torch.testing.assert_close(found, expected)


def test_matryoshka_may_leave_lengths_as_they_are() -> None:
    settings = {"matryoshka": {"dims": (6, 3), "normalize": False}}
    loss = build(TripletConfig(margin=100.0, **settings), dimension=6)
    plain = Triplet(TripletConfig(margin=100.0))
    texts = torch.randn(4, 3, 6, generator=torch.Generator().manual_seed(0))

    torch.testing.assert_close(loss(texts), plain(texts) + plain(texts[..., :3]))


def test_matryoshka_without_the_whole_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    config = MultipleNegativesRankingConfig(matryoshka={"dims": (4, 2)})
    with caplog.at_level(logging.WARNING):
        build(config, dimension=4)
        assert caplog.messages == []
        build(config, dimension=8)

    assert caplog.messages == [
        "matryoshka.dims [4, 2] are without the whole embedding, which nothing trains then: add 8"
    ]
