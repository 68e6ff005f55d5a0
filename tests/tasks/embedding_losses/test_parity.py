"""Values and gradients of sentence-transformers' losses, over embeddings made ready for both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from sentence_transformers import util
from sentence_transformers.sentence_transformer import losses as theirs
from tokenizers import Tokenizer, models
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from unmask.tasks.embedding_losses.config import LOSS_CONFIGS
from unmask.tasks.embedding_losses.registry import LOSSES, build

NUM_EXAMPLES, DIMENSION, NUM_CLASSES = 11, 16, 3
FP32, FP64 = 1e-5, 1e-10
_Siamese = theirs.ContrastiveLoss.__init__.__globals__["SiameseDistanceMetric"]
_Triplet = theirs.TripletLoss.__init__.__globals__["TripletDistanceMetric"]
_ADDED = 1e-6
"""What torch's `pairwise_distance` adds to each entry of a difference."""


class Ready(nn.Module):
    """In place of a SentenceTransformer: its features are embeddings already."""

    device = torch.device("cpu")
    max_seq_length = 8
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, "a")))

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"sentence_embedding": features["embedding"]}

    def get_embedding_dimension(self) -> int:
        return DIMENSION


@dataclass(frozen=True)
class Case:
    """One of our losses with settings, and theirs."""

    name: str
    other: Callable[[Ready], nn.Module]
    settings: dict[str, Any] = field(default_factory=dict)
    num_texts: int = 2
    labels: str = "none"
    shift: float = 0.0
    """Added to our second texts, to undo what theirs adds to a difference."""
    length: float = 1.0
    """Typical length of an embedding; shorter ones keep inner products in a softmax's range."""


DIRECTIONS = {
    "forward": {},
    "symmetric": {
        "directions": ("query_to_doc", "doc_to_query"),
        "partition_mode": "per_direction",
    },
    "joint": {
        "directions": ("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"),
        "partition_mode": "joint",
    },
}
SIMILARITIES = {"cosine": util.cos_sim, "dot": util.dot_score}
PAIRWISE = {"cosine": util.pairwise_cos_sim, "dot": util.pairwise_dot_score}
DIMS = {"dims": (DIMENSION, 8, 3), "weights": (1.0, 0.5, 2.0)}


def ranking(directions: str, similarity: str, scale: float, num_texts: int) -> Case:
    return Case(
        "multiple-negatives-ranking",
        lambda model: theirs.MultipleNegativesRankingLoss(
            model, scale, SIMILARITIES[similarity], **DIRECTIONS[directions]
        ),
        {"directions": directions, "similarity": similarity, "scale": scale},
        num_texts,
    )


def contrastive(name: str, kind: type[nn.Module], distance: str, margin: float) -> Case:
    metric = "COSINE_DISTANCE" if distance == "cosine" else distance.upper()
    return Case(
        name,
        lambda model: kind(model, getattr(_Siamese, metric), margin),
        {"distance": distance, "margin": margin},
        labels="binary",
        shift=0.0 if distance == "cosine" else _ADDED,
    )


def guided(margin: float) -> Case:
    return Case(
        "multiple-negatives-ranking",
        lambda model: theirs.GISTEmbedLoss(
            model,
            model,
            temperature=0.05,
            margin=margin,
            contrast_anchors=False,
            contrast_positives=False,
        ),
        {"false_negative_margin": -margin},
        num_texts=3,
    )


def wrapped(name: str, inner: Callable[[Ready], nn.Module], **more: Any) -> Case:
    return Case(
        name,
        lambda model: theirs.MatryoshkaLoss(model, inner(model), DIMS["dims"], DIMS["weights"]),
        {**more.pop("settings", {}), "matryoshka": DIMS},
        **more,
    )


def softmax(model: Ready, features: tuple[str, ...]) -> nn.Module:
    return theirs.SoftmaxLoss(
        model,
        DIMENSION,
        NUM_CLASSES,
        *(f in features for f in ("vectors", "difference", "product")),
    )


CASES = {
    **{
        f"softmax-{'-'.join(features)}": Case(
            "softmax",
            lambda model, features=features: softmax(model, features),
            {"features": features},
            labels="class",
        )
        for features in (
            ("vectors", "difference"),
            ("difference",),
            ("product", "difference", "vectors"),
            ("vectors", "product"),
        )
    },
    "cosine-similarity": Case("cosine-similarity", theirs.CosineSimilarityLoss, labels="score"),
    **{
        f"{name}-{distance}": contrastive(name, kind, distance, margin)
        for name, kind in (
            ("contrastive", theirs.ContrastiveLoss),
            ("online-contrastive", theirs.OnlineContrastiveLoss),
        )
        for distance, margin in (("cosine", 1.0), ("euclidean", 1.5), ("manhattan", 5.0))
    },
    **{
        f"triplet-{distance}": Case(
            "triplet",
            lambda model, distance=distance, margin=margin: theirs.TripletLoss(
                model, getattr(_Triplet, distance.upper()), margin
            ),
            {"distance": distance, "margin": margin},
            num_texts=3,
        )
        for distance, margin in (("cosine", 0.3), ("euclidean", 0.5), ("manhattan", 1.0))
    },
    **{
        f"ranking-{directions}-{similarity}-{num_texts}": ranking(
            directions, similarity, scale, num_texts
        )
        for directions in DIRECTIONS
        for similarity, scale in (("cosine", 20.0), ("dot", 1.0))
        for num_texts in (2, 3, 5)
    },
    "gist-of-itself": guided(0.0),
    "gist-of-itself-with-a-margin": guided(0.1),
    "simcse": Case("simcse", theirs.MultipleNegativesRankingLoss),
    "cosent": Case("cosent", theirs.CoSENTLoss, labels="score"),
    "cosent-scaled": Case(
        "cosent", lambda model: theirs.CoSENTLoss(model, 3.0), {"scale": 3.0}, labels="score"
    ),
    "angle": Case("angle", theirs.AnglELoss, labels="score"),
    **{
        f"margin-mse-{similarity}-{labels}-{num_texts}": Case(
            "margin-mse",
            lambda model, similarity=similarity: theirs.MarginMSELoss(model, PAIRWISE[similarity]),
            {"similarity": similarity},
            num_texts,
            labels,
        )
        for similarity in PAIRWISE
        for labels in ("scores", "margins")
        for num_texts in (3, 5)
    },
    **{
        f"kl-divergence-{similarity}-{num_texts}": Case(
            "kl-divergence",
            lambda model, similarity=similarity: theirs.DistillKLDivLoss(
                model, PAIRWISE[similarity], student_temperature=0.5, teacher_temperature=2.0
            ),
            {"similarity": similarity, "student_temperature": 0.5, "teacher_temperature": 2.0},
            num_texts,
            "scores",
        )
        for similarity in PAIRWISE
        for num_texts in (3, 5)
    },
    **{
        f"embedding-mse-{num_texts}": Case(
            "embedding-mse", theirs.MSELoss, {}, num_texts, "vectors"
        )
        for num_texts in (1, 3)
    },
    "embedding-mse-one-vector": Case("embedding-mse", theirs.MSELoss, labels="vector"),
    "embedding-mse-with-a-map": Case(
        "embedding-mse",
        lambda model: theirs.MSELoss(model, projection_dim=5),
        {"teacher_dimension": 5},
        labels="short vectors",
    ),
    "matryoshka-ranking": wrapped(
        "multiple-negatives-ranking", theirs.MultipleNegativesRankingLoss, num_texts=3
    ),
    "matryoshka-cosent": wrapped("cosent", theirs.CoSENTLoss, labels="score"),
    "matryoshka-angle": wrapped("angle", theirs.AnglELoss, labels="score"),
    "matryoshka-triplet": wrapped(
        "triplet",
        lambda model: theirs.TripletLoss(model, triplet_margin=0.5),
        settings={"margin": 0.5},
        num_texts=3,
    ),
    "matryoshka-margin-mse": wrapped(
        "margin-mse", theirs.MarginMSELoss, num_texts=3, labels="scores"
    ),
}


def drawn(case: Case, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
    generator = torch.Generator().manual_seed(5)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    embeddings = normal(NUM_EXAMPLES, case.num_texts, DIMENSION) / 2
    # Texts of one example resemble each other, so that losses are neither zero nor at a bound.
    embeddings = (embeddings + normal(NUM_EXAMPLES, 1, DIMENSION) / 2) * 0.7
    whole = torch.randint(0, NUM_CLASSES, (NUM_EXAMPLES,), generator=generator)
    num_others = case.num_texts - 1
    labels = {
        "none": None,
        "class": whole,
        "binary": (whole > 0).to(dtype),
        "score": whole.to(dtype) / 2,
        "scores": normal(NUM_EXAMPLES, num_others),
        "margins": normal(NUM_EXAMPLES, max(num_others - 1, 0)),
        "vectors": normal(NUM_EXAMPLES, case.num_texts, DIMENSION),
        "vector": normal(NUM_EXAMPLES, 1, DIMENSION),
        "short vectors": normal(NUM_EXAMPLES, case.num_texts, 5),
    }
    return embeddings, labels[case.labels]


def copy_weights(ours: nn.Module, other: nn.Module) -> None:
    """Theirs become ours; both have at most one affine map."""
    state = dict(zip(ours.state_dict(), other.state_dict().values(), strict=True))
    ours.load_state_dict(state)


def our_answer(case: Case, other: nn.Module, dtype: torch.dtype) -> list[Tensor]:
    embeddings, labels = drawn(case, dtype)
    config = LOSS_CONFIGS[case.name](**case.settings)
    loss = build(config, DIMENSION, NUM_CLASSES).to(dtype)
    copy_weights(loss, other)
    embeddings.requires_grad_()
    value = loss(embeddings, labels)
    value = value if LOSSES[case.name].scope == "batch" else value.mean()
    value.backward()
    return [value.detach(), embeddings.grad, *(weight.grad for weight in loss.parameters())]


def their_answer(case: Case, other: nn.Module, dtype: torch.dtype) -> list[Tensor]:
    embeddings, labels = drawn(case, dtype)
    embeddings.requires_grad_()
    columns = list(embeddings.unbind(1))
    if dtype is torch.float64:
        columns[1:2] = [column + case.shift for column in columns[1:2]]
    if case.labels == "vector":
        labels = labels[:, 0]
    if case.labels == "margins" and case.num_texts == 3:
        labels = labels[:, 0]
    value = other([{"embedding": column} for column in columns], labels)
    value.backward()
    return [value.detach(), embeddings.grad, *(weight.grad for weight in other.parameters())]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_are_those_of_sentence_transformers(
    name: str, dtype: torch.dtype
) -> None:
    case = CASES[name]
    torch.manual_seed(0)
    other = case.other(Ready()).to(dtype)
    ours, wanted = our_answer(case, other, dtype), their_answer(case, other, dtype)

    assert len(ours) == len(wanted)
    assert wanted[0] > 1e-3
    for found, expected in zip(ours, wanted, strict=True):
        assert found.dtype is dtype
        bound = (FP64 if dtype is torch.float64 else FP32) * max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(found, expected, rtol=0, atol=bound)
        assert expected.abs().max() > 1e-4


@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_the_guided_case_leaves_something_out(margin: float) -> None:
    embeddings, _ = drawn(guided(margin), torch.float64)
    kind = LOSS_CONFIGS["multiple-negatives-ranking"]
    kept = build(kind(false_negative_margin=-margin), DIMENSION)(embeddings)

    assert kept < build(kind(), DIMENSION)(embeddings) - 1e-3
