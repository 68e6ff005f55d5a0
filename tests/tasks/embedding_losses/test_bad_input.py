"""What losses refuse, and what they say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from unmask.errors import UsageError
from unmask.tasks.embedding_losses.config import LOSS_CONFIGS
from unmask.tasks.embedding_losses.loss import EmbeddingLoss
from unmask.tasks.embedding_losses.registry import LOSSES, build

DIMENSION, NUM_CLASSES = 6, 3
Draw = Callable[..., tuple[Tensor, Tensor | None]]
each_name = pytest.mark.parametrize("name", LOSSES)


def built(name: str, **settings: object) -> EmbeddingLoss:
    """The loss with these settings, its weights in fp64."""
    return build(LOSS_CONFIGS[name](**settings), DIMENSION, NUM_CLASSES).double()


@each_name
def test_another_number_of_texts_is_refused(name: str, draw: Draw) -> None:
    embeddings, labels = draw(name)
    least, most = LOSSES[name].texts
    with pytest.raises(UsageError, match=rf"^{name}: examples of {least - 1} text\(s\), expected"):
        built(name)(embeddings[:, : least - 1], labels)
    if most is not None:
        more = torch.cat([embeddings, embeddings[:, :1]], 1)
        with pytest.raises(UsageError, match=rf"{most + 1} text\(s\), expected {most}\. Choose"):
            built(name)(more, labels)


def test_how_many_texts_are_expected_is_said_in_words(draw: Draw) -> None:
    embeddings, _ = draw("triplet")
    with pytest.raises(UsageError, match=r"examples of 1 text\(s\), expected at least 2\. Choose"):
        built("multiple-negatives-ranking")(embeddings[:, :1])
    with pytest.raises(UsageError, match=r"shape \(9, 6\) and torch\.float64; expected \(examples"):
        built("triplet")(embeddings[:, 0])
    with pytest.raises(UsageError, match=r"torch\.int64; expected .* of floating point"):
        built("triplet")(embeddings.long())


@each_name
def test_labels_that_are_missing_or_of_no_use_are_refused(name: str, draw: Draw) -> None:
    embeddings, labels = draw(name)
    if labels is None:
        with pytest.raises(UsageError, match="have labels, which it makes no use of"):
            built(name)(embeddings, torch.zeros(len(embeddings)))
    else:
        with pytest.raises(UsageError, match=r"have no labels, expected a .* with each"):
            built(name)(embeddings)


@pytest.mark.parametrize("name", [n for n in LOSSES if LOSSES[n].labels != "none"])
def test_labels_of_another_shape_are_refused(name: str, draw: Draw) -> None:
    embeddings, labels = draw(name)
    for other in (labels[1:], labels[..., None]):
        with pytest.raises(UsageError, match=r"labels of shape \(.*for 9 examples, expected a"):
            built(name)(embeddings, other)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", [n for n in LOSSES if LOSSES[n].labels not in ("none", "class")])
def test_labels_that_are_no_numbers_are_refused(name: str, value: float, draw: Draw) -> None:
    embeddings, labels = draw(name)
    labels.view(len(labels), -1)[3, -1] = value
    with pytest.raises(UsageError, match=rf"^{name}: {value} in a .*\(1 of 9 examples have others"):
        built(name)(embeddings, labels)


def test_classes_are_whole_and_counted_from_zero(draw: Draw) -> None:
    embeddings, labels = draw("softmax")
    with pytest.raises(UsageError, match=r"torch\.float32 for 9 examples, expected a class"):
        built("softmax")(embeddings, labels.float())
    with pytest.raises(UsageError, match=r"softmax: label 3, expected 0 to 2 \(1 of 9 examples"):
        built("softmax")(embeddings, torch.tensor([0, 1, 3, 2, 0, 0, 0, 0, 0]))
    with pytest.raises(UsageError, match=r"softmax: label -1, expected 0 to 2"):
        built("softmax")(embeddings, labels.clamp(max=0) - 1)


@pytest.mark.parametrize(("number", "word"), [(None, "no"), (0, "no"), (1, "1")])
def test_a_classifier_needs_two_classes(number: int | None, word: str) -> None:
    with pytest.raises(UsageError, match=f"softmax: {word} classes, expected at least 2"):
        build(LOSS_CONFIGS["softmax"](), DIMENSION, number)


def test_scores_outside_the_declared_range_are_refused(draw: Draw) -> None:
    embeddings, labels = draw("cosine-similarity")
    message = r"label 5, expected 0 to 1 \(1 of 9 examples lie outside\)\..*declare `score_range`"
    labels[4] = 5.0
    with pytest.raises(UsageError, match=message):
        built("cosine-similarity")(embeddings, labels)
    built("cosine-similarity", score_range=(0, 5))(embeddings, labels)
    with pytest.raises(UsageError, match=r"label -0\.5, expected 0 to 5"):
        built("cosine-similarity", score_range=(0, 5))(embeddings, labels - 0.5)


@pytest.mark.parametrize("name", ["contrastive", "online-contrastive"])
def test_pairs_are_alike_or_not(name: str, draw: Draw) -> None:
    embeddings, labels = draw(name)
    labels[2] = 0.5
    message = r"label 0\.5, expected 1 \(alike\) or 0 \(1 of 9 examples have others\)"
    with pytest.raises(UsageError, match=message):
        built(name)(embeddings, labels)


def test_a_teacher_scores_every_text(draw: Draw) -> None:
    embeddings, scores = draw("margin-mse", num_texts=5)
    with pytest.raises(UsageError, match="2 scores for 4 texts beside the anchor, expected 4, or"):
        built("margin-mse")(embeddings, scores[:, :2])
    with pytest.raises(UsageError, match=r"kl-divergence: 3 scores for 4 texts .*one each"):
        built("kl-divergence")(embeddings, scores[:, :3])


def test_a_teachers_vectors_fit(draw: Draw) -> None:
    embeddings, vectors = draw("embedding-mse", num_texts=3)
    with pytest.raises(UsageError, match="2 vectors for 3 texts, expected one each, or one for"):
        built("embedding-mse")(embeddings, vectors[:, :2])
    with pytest.raises(UsageError, match=r"have 4 entries, expected 6\. Set `teacher_dimension`"):
        built("embedding-mse")(embeddings, vectors[..., :4])
    with pytest.raises(UsageError, match=r"have 4 entries, expected 5\. Correct `teacher"):
        built("embedding-mse", teacher_dimension=5)(embeddings, vectors[..., :4])


@each_name
def test_identities_fit(name: str, draw: Draw) -> None:
    embeddings, labels = draw(name)
    num_examples, num_texts = embeddings.shape[:2]
    with pytest.raises(UsageError, match=rf"expected \(9, {num_texts}\) of int64, one for each"):
        built(name)(embeddings, labels, torch.zeros(num_examples, num_texts + 1).long())
    with pytest.raises(UsageError, match=r"ids of shape .* and torch\.float32, expected"):
        built(name)(embeddings, labels, torch.zeros(num_examples, num_texts))


@each_name
def test_no_examples_are_no_batch(name: str, draw: Draw) -> None:
    embeddings, labels = draw(name)
    nothing = embeddings[:0], None if labels is None else labels[:0]
    if LOSSES[name].scope == "batch":
        with pytest.raises(UsageError, match=f"{name}: a batch of no examples has no loss"):
            built(name)(*nothing)
    else:
        assert built(name)(*nothing).shape == (0,)


def test_truncated_embeddings_are_no_longer_than_the_whole() -> None:
    with pytest.raises(UsageError, match=r"matryoshka\.dims: 8 exceeds the 6 entries"):
        built("cosent", matryoshka={"dims": (6, 8)})


def test_a_wrapped_loss_refuses_the_same_in_its_own_name(draw: Draw) -> None:
    embeddings, labels = draw("contrastive")
    wrapped = built("contrastive", matryoshka={"dims": (6, 3)})
    with pytest.raises(UsageError, match="contrastive: label 2, expected 1"):
        wrapped(embeddings, labels * 2)
    with pytest.raises(UsageError, match=r"contrastive: examples of 1 text\(s\), expected 2"):
        wrapped(embeddings[:, :1], labels)
