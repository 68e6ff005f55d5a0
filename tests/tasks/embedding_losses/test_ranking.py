"""The right text among a batch's, and what is left out of the others."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from unmask.tasks.embedding_losses.config import MultipleNegativesRankingConfig, SimCSEConfig
from unmask.tasks.embedding_losses.false_negatives import known_anchors, known_texts, too_similar
from unmask.tasks.embedding_losses.ranking import MultipleNegativesRanking, SimCSE

QUIET = settings(deadline=None, derandomize=True, max_examples=60)
DIRECTIONS = ("forward", "symmetric", "joint")
MARGINS = (None, 0.1, 0.0, -0.1)

identities = st.integers(2, 4).flatmap(
    lambda num_texts: st.lists(
        st.lists(st.integers(0, 5), min_size=num_texts, max_size=num_texts), min_size=1, max_size=5
    )
)


def loss_of(**chosen: object) -> MultipleNegativesRanking:
    """With these settings."""
    return MultipleNegativesRanking(MultipleNegativesRankingConfig(**chosen))


def drawn(num_examples: int, num_texts: int, dimension: int = 4) -> Tensor:
    """(G, K, dimension) in fp64."""
    generator = torch.Generator().manual_seed(7)
    return torch.randn(num_examples, num_texts, dimension, generator=generator).double()


class Written:
    """The loss as a sum over single texts, straight from its description."""

    def __init__(self, embeddings: Tensor, ids: list[list[int]], config: object) -> None:
        self.vectors = torch.nn.functional.normalize(embeddings, dim=-1)
        self.ids, self.config = ids, config

    def similarity(self, one: tuple[int, int], other: tuple[int, int]) -> float:
        return float(self.vectors[one] @ self.vectors[other])

    def counts(self, example: int, side: int, other: tuple[int, int]) -> bool:
        """Whether a text is compared with the anchor (side 0) or positive (1) of an example."""
        anchor, positive = self.ids[example][:2]
        owner, column = other
        if owner == example and column == 1 - side:
            return True  # its own positive, or its own anchor
        if self.ids[owner][column] in (anchor, positive):
            return False
        if column == 1 and self.ids[owner][0] == anchor:
            return False
        if column == 0 and self.ids[owner][1] == positive:
            return False
        margin = self.config.false_negative_margin
        right = self.similarity((example, 0), (example, 1))
        return margin is None or self.similarity((example, side), other) <= right + margin

    def terms(self, example: int, side: int, columns: range) -> Iterator[float]:
        """What stands in a sum: exp(scale * similarity) of each text that counts."""
        for owner in range(len(self.ids)):
            for column in columns:
                other = (owner, column)
                among_its_kind = (side == 0) == (column == 0)
                if among_its_kind and owner == example:
                    continue
                if self.counts(example, side, other):
                    score = self.similarity((example, side), other)
                    yield math.exp(self.config.scale * score)

    def value(self) -> float:
        found = 0.0
        for example in range(len(self.ids)):
            anchors, texts = range(1), range(1, len(self.ids[0]))
            forward = sum(self.terms(example, 0, texts))
            backward = sum(self.terms(example, 1, anchors))
            right = self.config.scale * self.similarity((example, 0), (example, 1))
            if self.config.directions == "forward":
                found += math.log(forward) - right
            elif self.config.directions == "symmetric":
                found += (math.log(forward) + math.log(backward)) / 2 - right
            else:
                more = sum(self.terms(example, 0, anchors)) + sum(self.terms(example, 1, texts))
                found += math.log(forward + backward + more) - right
        return found / len(self.ids)


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("directions", DIRECTIONS)
@QUIET
@given(ids=identities)
def test_left_out_is_what_the_description_says(
    directions: str, margin: float | None, ids: list[list[int]]
) -> None:
    loss = loss_of(scale=3, directions=directions, false_negative_margin=margin)
    config = MultipleNegativesRankingConfig(
        scale=3, directions=directions, false_negative_margin=margin
    )
    embeddings = drawn(len(ids), len(ids[0]))
    found = loss(embeddings.requires_grad_(), ids=torch.tensor(ids))
    found.backward()

    expected = Written(embeddings.detach(), ids, config).value()
    assert found.item() == pytest.approx(expected, abs=1e-12)
    assert torch.isfinite(embeddings.grad).all()


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_identities_that_differ_change_nothing(directions: str) -> None:
    loss, embeddings = loss_of(directions=directions), drawn(5, 3)

    assert torch.equal(loss(embeddings, ids=torch.arange(15).view(5, 3)), loss(embeddings))


def test_a_repeated_example_is_no_negative_of_itself() -> None:
    twice, ids = drawn(1, 2).expand(2, 2, 4), torch.tensor([[0, 1], [0, 1]])

    assert loss_of()(twice, ids=ids).item() == 0.0
    assert loss_of()(twice).item() == pytest.approx(math.log(2))


def test_masks_of_a_small_batch_by_hand() -> None:
    # Both anchors are the text 1; the second's hard negative is the first's positive, 2.
    ids = torch.tensor([[1, 2, 3], [1, 4, 2], [5, 6, 1]])
    # Columns: positives 2, 4, 6, then negatives 3, 2, 1.
    assert known_texts(ids).tolist() == [
        [False, True, False, False, True, True],
        [True, False, False, False, False, True],
        [False, False, False, False, False, False],
    ]
    assert known_anchors(ids).tolist() == [
        [False, True, False],
        [True, False, False],
        [False, False, False],
    ]


def test_a_margin_spares_the_diagonal() -> None:
    scores = torch.tensor([[0.5, 0.7, 0.6], [0.2, 0.1, 0.1]])
    assert too_similar(scores, torch.tensor([0.4, 0.1])).tolist() == [
        [False, True, True],
        [True, False, False],
    ]


def test_a_margin_is_in_units_of_the_similarity_whatever_the_scale() -> None:
    # The second text is more similar than the positive by 0.28 (cosines 1 and 0.6 + 0.12).
    texts = torch.tensor([[1.0, 0.0], [0.72, (1 - 0.72**2) ** 0.5], [1.0, 0.0]])[None]
    for scale in (1.0, 100.0):
        assert loss_of(scale=scale, false_negative_margin=0.27)(texts).item() == 0.0
        assert loss_of(scale=scale, false_negative_margin=0.29)(texts).item() > 0.5


def test_one_example_alone_has_nothing_to_be_told_from() -> None:
    pair = drawn(1, 2)
    for directions in ("forward", "symmetric"):
        assert loss_of(directions=directions)(pair).item() == 0.0
    # Joint: the positive pair stands in the sum twice, once from either side.
    assert loss_of(directions="joint")(pair).item() == pytest.approx(math.log(2))
    assert loss_of()(drawn(1, 3)).item() > 0


def test_cosines_ignore_lengths_and_inner_products_do_not() -> None:
    embeddings = drawn(4, 3)
    longer = embeddings * torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None, None]

    torch.testing.assert_close(loss_of()(longer), loss_of()(embeddings))
    dot = loss_of(similarity="dot", scale=1)
    assert (dot(longer) - dot(embeddings)).abs() > 0.1


def test_a_sure_answer_costs_nothing_and_its_opposite_is_finite() -> None:
    pairs = torch.eye(2)[:, None].repeat(1, 2, 1)
    crossed = torch.stack([pairs[:, 0], pairs[:, 1].flip(0)], 1)

    assert loss_of(scale=1e4)(pairs).item() == 0.0
    assert loss_of(scale=1e4)(crossed).item() == pytest.approx(1e4)


def test_simcse_is_the_loss_over_two_passes() -> None:
    passes = drawn(6, 2)
    ids = torch.tensor([0, 1, 2, 2, 3, 4])[:, None].expand(6, 2)
    simcse = SimCSE(SimCSEConfig())

    assert simcse.passes == 2
    assert torch.equal(simcse(passes), loss_of(scale=20.0)(passes))
    assert simcse(passes, ids=ids) == loss_of(scale=20.0)(passes, ids=ids)
    assert simcse(passes, ids=ids) < simcse(passes)
