"""Losses of rankings: sentence-transformers' values and gradients, and what they promise."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from sentence_transformers.cross_encoder import CrossEncoder
from sentence_transformers.cross_encoder import losses as theirs
from torch import Tensor, nn

from unmask.tasks.reranking_config import RerankingConfig
from unmask.tasks.reranking_losses import RerankingLoss, build

NAN = float("nan")
SIZES = (5, 2, 7, 1, 4)
POINTWISE = ("binary-cross-entropy", "mean-squared-error")
LISTWISE = ("ranknet", "listnet", "listmle", "lambda")


class Ready(CrossEncoder):
    """In place of a cross-encoder: its texts are the numbers of logits that are there already."""

    num_labels = 1
    device = torch.device("cpu")

    def __init__(self, logits: Tensor) -> None:
        nn.Module.__init__(self)
        self.logits = logits

    def preprocess(self, pairs: Any, **_: Any) -> dict[str, Tensor]:
        return {"numbers": torch.tensor([int(document) for _, document in pairs])}

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"scores": self.logits[features["numbers"]][:, None]}


def data(loss: str, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(M,) logits and grades of all documents, query after query."""
    draw = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(sum(SIZES), generator=draw)
    grades = torch.randint(0, 4, (sum(SIZES),), generator=draw).float()
    if loss == "binary-cross-entropy":
        grades = torch.rand(sum(SIZES), generator=draw)
    if loss == "listmle":  # whose order of equal grades sentence-transformers leaves open
        grades = torch.randn(sum(SIZES), generator=draw)
    return logits, grades


def filled(rows: Tensor, filler: float) -> Tensor:
    """(G, K) of (M,) query after query."""
    parts = rows.split(SIZES)
    return nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=filler)


def mean(loss: RerankingLoss, logits: Tensor, grades: Tensor) -> Tensor:
    return loss(logits, grades) / loss.count(grades)


def configured(loss: str, **settings: Any) -> RerankingLoss:
    return build(RerankingConfig.model_validate({"loss": loss, **settings}))


def natural(kind: Any, **settings: Any) -> Callable[[Ready], nn.Module]:
    return lambda model: kind(model, reduction_log="natural", **settings)


@pytest.mark.parametrize(
    ("loss", "settings", "other"),
    [
        ("binary-cross-entropy", {}, theirs.BinaryCrossEntropyLoss),
        (
            "binary-cross-entropy",
            {"positive_weight": 4.0},
            lambda model: theirs.BinaryCrossEntropyLoss(model, pos_weight=torch.tensor(4.0)),
        ),
        ("mean-squared-error", {}, theirs.MSELoss),
        ("ranknet", {}, natural(theirs.RankNetLoss)),
        ("listnet", {}, theirs.ListNetLoss),
        ("listmle", {}, lambda model: theirs.ListMLELoss(model, respect_input_order=False)),
        ("lambda", {}, natural(theirs.LambdaLoss)),
        (
            "lambda",
            {"weighting": "ndcg-loss2"},
            natural(theirs.LambdaLoss, weighting_scheme=theirs.NDCGLoss2Scheme()),
        ),
        (
            "lambda",
            {"weighting": "lambdarank"},
            natural(theirs.LambdaLoss, weighting_scheme=theirs.LambdaRankScheme()),
        ),
    ],
)
def test_values_and_gradients_are_theirs(
    loss: str, settings: dict[str, Any], other: Callable[[Ready], nn.Module]
) -> None:
    ours, given = configured(loss, **settings), data(loss)
    logits = given[0].clone().requires_grad_()
    found = mean(ours, filled(logits, 0.0), filled(given[1], NAN))
    found.backward()

    model = Ready(given[0].clone().requires_grad_())
    numbers = [[str(i) for i in part.tolist()] for part in torch.arange(sum(SIZES)).split(SIZES)]
    if loss in POINTWISE:
        documents: Any = [number for part in numbers for number in part]
        expected = other(model)([["q"] * len(documents), documents], given[1])
    else:
        expected = other(model)([["q"] * len(numbers), numbers], list(given[1].split(SIZES)))
    expected.backward()

    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(logits.grad, model.logits.grad, rtol=0, atol=1e-5)


def test_their_logarithm_is_binary_by_default() -> None:
    ours, given = configured("lambda"), data("lambda")
    found = mean(ours, filled(given[0], 0.0), filled(given[1], NAN))
    numbers = [[str(i) for i in part.tolist()] for part in torch.arange(sum(SIZES)).split(SIZES)]
    expected = theirs.LambdaLoss(Ready(given[0]))(
        [["q"] * len(numbers), numbers], list(given[1].split(SIZES))
    )
    torch.testing.assert_close(found / math.log(2), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("loss", [*POINTWISE, *LISTWISE])
def test_what_a_query_does_not_have_changes_nothing(loss: str) -> None:
    """Whatever stands at places without a document, and however many there are."""
    ours, (logits, grades) = configured(loss), data(loss)
    few = filled(logits, 0.0).double().requires_grad_()
    many = torch.cat((filled(logits, 50.0).double(), torch.full((len(SIZES), 3), -9.0)), dim=1)
    many = many.detach().requires_grad_()
    short = filled(grades, NAN)
    long = torch.cat((short, torch.full((len(SIZES), 3), NAN)), dim=1)

    totals = ours(few, short), ours(many, long)
    for total in totals:
        total.backward()

    assert ours.count(short) == ours.count(long)
    torch.testing.assert_close(totals[0], totals[1], rtol=1e-12, atol=0)
    assert few.grad is not None
    assert many.grad is not None
    width = few.shape[1]
    torch.testing.assert_close(many.grad[:, :width], few.grad, rtol=0, atol=1e-12)
    assert not many.grad[:, width:].any()
    assert not few.grad[short.isnan()].any()


@pytest.mark.parametrize("loss", [*POINTWISE, *LISTWISE])
def test_sums_and_counts_add_up_over_queries(loss: str) -> None:
    ours, (logits, grades) = configured(loss), data(loss)
    scores, wanted = filled(logits, 0.0).double(), filled(grades, NAN)
    each = [ours(scores[i : i + 1], wanted[i : i + 1]) for i in range(len(SIZES))]
    counts = [ours.count(wanted[i : i + 1]) for i in range(len(SIZES))]

    torch.testing.assert_close(sum(each, torch.zeros(())), ours(scores, wanted), rtol=1e-12, atol=0)
    assert sum(counts) == ours.count(wanted)


@pytest.mark.parametrize("loss", LISTWISE)
def test_the_right_order_costs_less(loss: str) -> None:
    ours, grades = configured(loss), torch.tensor([[3.0, 1.0, 0.0, NAN]])
    right, wrong = (5 * torch.tensor([row]) for row in ([2.0, 1, 0, 9], [0.0, 1, 2, -9]))
    assert ours(right, grades) < ours(wrong, grades)


@pytest.mark.parametrize("loss", ["ranknet", "lambda"])
def test_documents_graded_alike_have_no_order_to_learn(loss: str) -> None:
    ours, logits = configured(loss), torch.tensor([[1.0, -1.0]], requires_grad=True)
    grades = torch.ones(1, 2)
    total = ours(logits, grades)
    total.backward()
    assert (ours.count(grades), float(total.detach())) == (0.0, 0.0)
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("loss", LISTWISE)
def test_hundreds_of_documents_far_apart_stay_finite(loss: str) -> None:
    ours = configured(loss)
    logits = torch.linspace(-3e3, 3e3, 400)[None].requires_grad_()
    total = ours(logits, torch.arange(400.0).flip(0)[None] / 40)
    total.backward()
    assert torch.isfinite(total)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"positive_weight": 2.0}, "no effect with loss auto: set loss binary-cross-entropy"),
        ({"loss": "listnet", "weighting": "lambdarank"}, "no effect with loss listnet"),
        ({"stride": 4}, "stride has no effect with windows first: set windows best"),
        ({"loss": "hinge"}, "Input should be"),
        ({"positive_weight": 0.0, "loss": "binary-cross-entropy"}, "greater than 0"),
    ],
)
def test_settings_without_effect_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RerankingConfig.model_validate(settings)
