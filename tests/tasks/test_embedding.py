"""Sentence embeddings as a task: the loss that fits the data, what is read, how it is judged."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from sentence_transformers.sentence_transformer.evaluation import (
    BinaryClassificationEvaluator,
    EmbeddingSimilarityEvaluator,
    InformationRetrievalEvaluator,
)
from sentence_transformers.util import cos_sim
from torch import nn

from unmask.data.labelled.examples import EmbeddingExample
from unmask.data.planned import PlannedSource
from unmask.errors import DataError, UsageError
from unmask.tasks import embedding_scores
from unmask.tasks.embedding import Embedding
from unmask.tasks.embedding_config import EmbeddingConfig
from unmask.tasks.embedding_losses.distillation import EmbeddingMSE
from unmask.tasks.embedding_losses.matryoshka import Matryoshka
from unmask.tasks.metrics.resampling import Bootstrap
from unmask.tasks.sentence import HEAD
from unmask.tasks.sentence_config import DenseConfig, SentenceConfig
from unmask.tasks.siamese import Siamese
from unmask.tasks.task import Model
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece

WORDS = "the cook cut bread rain fell all night on town she found an old key fox sang in tower"
LONGEST = 12
WIDTH = 4
Label = str | float | tuple[float, ...] | None


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_wordpiece([WORDS] * 3, TokenizerConfig(vocab_size=90, min_frequency=1))


def example(*texts: str, label: Label = None, line: int = 1, data_set: int = 0) -> EmbeddingExample:
    return EmbeddingExample(str(line), texts, label, f"x:{line}", None, data_set)


def labelled(num_texts: int, *labels: Label) -> list[EmbeddingExample]:
    """One example a label, of texts that differ."""
    return [
        example(*(f"{'abcd'[j]}{i}" for j in range(num_texts)), label=label, line=i)
        for i, label in enumerate(labels, 1)
    ]


def begin(examples: Sequence[EmbeddingExample], **settings: Any) -> Embedding:
    return Embedding.begin(EmbeddingConfig.model_validate(settings), examples)


def standing(examples: Sequence[EmbeddingExample], **settings: Any) -> Embedding:
    return begin(examples, **settings).standing_on(None, WIDTH)


@pytest.mark.parametrize(
    ("num_texts", "labels", "loss", "metric"),
    [
        (1, (None,), "simcse", "mrr@10"),
        (2, (None,), "multiple-negatives-ranking", "mrr@10"),
        (4, (None,), "multiple-negatives-ranking", "mrr@10"),
        (2, ("0", "1"), "online-contrastive", "cosine_ap"),
        (2, (0.0, 1.0), "online-contrastive", "cosine_ap"),
        (2, ("0", "2.5", "5"), "cosent", "spearman_cosine"),
        (2, (0.25, 1.0), "cosent", "spearman_cosine"),
        (2, ("entailment", "neutral", "contradiction"), "softmax", "spearman_cosine"),
        (2, ("contradiction", "entailment"), "softmax", "cosine_ap"),
        (2, ("same", "other"), "softmax", "cosine_eta_squared"),
        (2, ("0", "1", "2", "3"), "cosent", "spearman_cosine"),
        (2, (0.0, 1.0, 2.0), "cosent", "spearman_cosine"),  # read as numbers
        (3, ("0", "1", "2"), "margin-mse", "mrr@10"),
        (3, ((9.0, 4.0),), "kl-divergence", "mrr@10"),
        (3, ((5.0,),), "margin-mse", "mrr@10"),
        (3, ("5.5", "-1"), "margin-mse", "mrr@10"),
        (1, ((0.5, -1.0, 2.0),), "embedding-mse", "spearman_cosine"),
        (2, ((0.5, -1.0, 2.0),), "embedding-mse", "spearman_cosine"),
    ],
)
def test_the_loss_and_the_metric_fit_the_form(
    num_texts: int, labels: tuple[Label, ...], loss: str, metric: str
) -> None:
    task = begin(labelled(num_texts, *labels))
    (taught,) = task.sets
    assert (taught.loss.name, taught.num_texts, task.metric) == (loss, num_texts, metric)


def test_the_classes_are_trainings_in_their_order() -> None:
    found = begin(labelled(2, "neutral", "entailment", "neutral")).sets[0].classes
    assert found == ("entailment", "neutral")
    assert begin(labelled(2, "0", "1")).sets[0].classes == ()


@pytest.mark.parametrize(
    ("examples", "settings", "message"),
    [
        ([], {}, "a data set holds no example"),
        (
            [example("a", "b"), example("a", line=2)],
            {},
            r"x:2: has 1 text\(s\) and no label, but x:1: has 2 text\(s\) and no label; expected",
        ),
        (
            [example("a", "b"), example("a", "b", label="1", line=2)],
            {},
            r"x:2: .* the label '1', but x:1: .* no label; expected all examples of a data set",
        ),
        (
            [example("a", "b", label="1"), example("c", "d", label=(1.0, 2.0), line=2)],
            {},
            r"x:2: .* a label of 2 numbers, but x:1: .* the label '1'; expected all",
        ),
        (
            [example("a", label=(1.0, 2.0)), example("c", label=(1.0, 2.0, 3.0), line=2)],
            {},
            r"x:2: .* a label of 3 numbers, but x:1: .* a label of 2 numbers; expected all",
        ),
        (labelled(1, "sport", "law"), {}, "no loss takes single texts with labels. Name no label"),
        (labelled(2, "yes", "yes"), {}, "all labels are 'yes'; softmax needs two or more"),
        (
            labelled(2, "0.5", "3", "nan", "5"),
            {},
            r"x:3: the label is 'nan', while 3 of 4 are numbers; .* --data.no-label nan",
        ),
        (
            labelled(2, "2", "0", "-1", "1", "0"),
            {},
            r"x:1: the labels are 0, 1 and 2, .* --data.labels number; .* set --loss softmax",
        ),
        (labelled(1, None), {"loss": "triplet"}, r"loss triplet takes 3 text\(s\) of each"),
        (
            labelled(1, None),
            {"loss": "multiple-negatives-ranking"},
            r"loss multiple-negatives-ranking takes 2 or more text\(s\)",
        ),
        (labelled(2, None), {"loss": "simcse"}, "loss simcse takes"),
        (labelled(2, None), {"loss": "cosent"}, r"takes examples with labels \(score\)"),
        (labelled(3, "1", "0"), {"loss": "triplet"}, "takes examples without labels"),
        (labelled(1, "1"), {"loss": "embedding-mse"}, r"takes examples with labels \(vectors\)"),
        (labelled(2, (1.0, 2.0)), {"loss": "cosent"}, r"takes examples with labels \(score\)"),
    ],
)
def test_what_cannot_be_learned_is_told(
    examples: list[EmbeddingExample], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        begin(examples, **settings)


@pytest.mark.parametrize("label", ["good", float("nan")])
def test_a_score_has_to_be_a_number(label: Label, tokenizer: Tokenizer) -> None:
    examples = labelled(2, "0.5", label)
    task = standing(examples, loss="cosent")
    with pytest.raises(DataError, match=f"x:2: the score is {label!r}; expected a number"):
        task.groups(examples, tokenizer, LONGEST)


def test_a_class_that_training_lacks_is_told(tokenizer: Tokenizer) -> None:
    task = standing(labelled(2, "no", "yes"))
    with pytest.raises(DataError, match="x:1: the label 'maybe' is none of training's: no, yes"):
        task.groups(labelled(2, "maybe"), tokenizer, LONGEST)


# --- settings


def test_settings_may_be_spelled_as_flags() -> None:
    flags = EmbeddingConfig.model_validate(
        {"loss": "embedding-mse", "loss_settings": {"teacher-dimension": 3}}
    )
    assert flags.loss_settings == {"teacher_dimension": 3}
    mixed = {"path": "x", "loss": "cosine-similarity", "loss_settings": {"score-range": [0, 5]}}
    (given,) = EmbeddingConfig.model_validate({"mix": [mixed]}).mix
    assert given.loss_settings == {"score_range": [0, 5]}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss_settings": {"scale": 1.0}}, "loss_settings are of one loss: set loss too"),
        ({"loss": "cosent", "loss_settings": {"margin": 1.0}}, "margin"),
        ({"loss": "triplet", "loss_settings": {"margin": -1.0}}, "margin"),
        ({"loss": "infonce"}, "loss"),
        ({"weight": 0.0}, "weight"),
    ],
)
def test_settings_are_the_losss_own(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmbeddingConfig.model_validate(settings)


def test_vectors_are_made_as_before_but_for_what_is_set() -> None:
    before = SentenceConfig(
        pooling=("cls",),
        layers=(DenseConfig(in_features=WIDTH, out_features=2), "normalize"),
        prompts={"query": "q: ", "other": "o: "},
        similarity="dot",
    )
    pairs = labelled(2, None)

    def config(**settings: Any) -> SentenceConfig:
        return begin(pairs, **settings).standing_on(before, WIDTH).config

    assert config() == before
    assert config(normalize=False).layers == before.layers[:1]
    assert config(dense=3).layers == (DenseConfig(in_features=WIDTH, out_features=3), "normalize")
    assert config(pooling=["mean", "max"]).layers == ("normalize",)  # the dense layer was cls's
    assert config(prompts={"query": "?"}).prompts == {"query": "?", "other": "o: "}
    both = begin(pairs, pooling=["mean", "max"], dense=3).standing_on(None, WIDTH)
    assert both.config.layers == (DenseConfig(in_features=2 * WIDTH, out_features=3),)
    scored = begin(labelled(2, 0.5, 2.0)).standing_on(before, WIDTH)
    assert scored.metric == "spearman_dot"


def test_the_losses_are_as_wide_as_the_vectors() -> None:
    (plain,) = standing(labelled(1, (1.0, 2.0, 3.0)), dense=3).losses
    assert isinstance(plain, EmbeddingMSE)
    assert plain.map is None
    settings = {"loss": "embedding-mse", "loss_settings": {"teacher-dimension": 3}}
    (mapped,) = standing(labelled(1, (1.0, 2.0, 3.0)), **settings).losses
    assert [tuple(one.shape) for one in mapped.parameters()] == [(3, WIDTH), (3,)]
    (classifier,) = standing(labelled(2, "a", "b", "c")).losses
    assert next(classifier.parameters()).shape == (3, 3 * WIDTH)
    nested = {"matryoshka": {"dims": [WIDTH, 2]}}
    (wrapped,) = standing(labelled(2, 0.5, 2.0), loss="cosent", loss_settings=nested).losses
    assert isinstance(wrapped, Matryoshka)
    with pytest.raises(UsageError, match=r"matryoshka.dims: 8 exceeds the 4 entries"):
        standing(labelled(2, 0.5, 2.0), loss="cosent", loss_settings={"matryoshka": {"dims": [8]}})


# --- examples to sequences


def test_prompts_stand_before_anchors_and_before_all_else(tokenizer: Tokenizer) -> None:
    examples = [example("rain", "bread", "key")]
    task = standing(examples, prompts={"query": "she found ", "document": "an old "})
    ((first, *others),) = task.encode(examples, tokenizer, LONGEST)
    layout = tokenizer.layout
    assert first.input_ids.tolist() == layout.single(tokenizer.encode("she found rain")).tolist()
    for window, text in zip(others, ("an old bread", "an old key"), strict=True):
        assert window.input_ids.tolist() == layout.single(tokenizer.encode(text)).tolist()
        assert window.num_first == len(window.input_ids)
    known = SentenceConfig(prompts={"query": "she found ", "passage": "an old "})
    gone_on = begin(examples).standing_on(known, WIDTH)
    ((again, *rest),) = gone_on.encode(examples, tokenizer, LONGEST)
    assert [one.input_ids.tolist() for one in (again, *rest)] == [
        one.input_ids.tolist() for one in (first, *others)
    ]
    with pytest.raises(UsageError, match="include_prompt is false"):
        begin(examples).standing_on(known.model_copy(update={"include_prompt": False}), WIDTH)
    ((bare, *_),) = standing(examples).encode(examples, tokenizer, LONGEST)
    assert bare.input_ids.tolist() == layout.single(tokenizer.encode("rain")).tolist()


@pytest.mark.parametrize(("max_length", "expected"), [(None, LONGEST), (8, 8), (40, LONGEST)])
def test_long_texts_are_cut(max_length: int | None, expected: int, tokenizer: Tokenizer) -> None:
    examples = [example("the bread " * 20, "fox")]
    task = standing(examples, max_length=max_length)
    ((long, short),) = task.encode(examples, tokenizer, LONGEST)
    assert len(long.input_ids) == expected
    assert long.input_ids[-1] == tokenizer.special.sep
    assert len(short.input_ids) == 3


def test_groups_hold_labels_and_equal_ids_for_equal_texts(tokenizer: Tokenizer) -> None:
    pairs = [example("rain", "fox", label="yes"), example("fox", "rain", label="no", line=2)]
    triplets = [example("rain", "bread", "key", data_set=1)]
    mix = [{"path": "x", "weight": 3.0}]
    task = standing([*pairs, *triplets], mix=mix)
    first, second = task.groups([*triplets, *pairs], tokenizer, LONGEST)
    assert first.texts.tolist() == [[0, 1], [1, 0]]
    assert second.texts.tolist() == [[0, 2, 3]]
    assert (first.weight, second.weight) == (1.0, 3.0)
    assert [[len(one.input_ids) for one in whole] for whole in first.windows] == [[3, 3], [3, 3]]
    labels = [[one.labels["embedding"].tolist() for one in whole] for whole in first.windows]
    assert labels == [[[1], []], [[0], []]]  # of "no" and "yes"
    assert [one.labels for one in second.windows[0]] == [{}] * 3
    assert {one.group_size for whole in second.windows for one in whole} == {3}


@pytest.mark.parametrize("num_texts", [1, 2])
def test_texts_that_are_cut_are_counted_once(num_texts: int, tokenizer: Tokenizer) -> None:
    """Whether they pass once or, without another text, twice; one that just fits is whole."""
    texts = ["rain " * (LONGEST - 2), "rain " * (LONGEST - 1), "fox"]
    examples = [example(*[one] * num_texts, line=i) for i, one in enumerate(texts)]
    (group,) = standing(examples).groups(examples, tokenizer, LONGEST)
    assert max(len(one.input_ids) for whole in group.windows for one in whole) == LONGEST
    assert group.num_cut == num_texts


@pytest.mark.parametrize(
    ("num_texts", "label", "loss", "expected"),
    [
        (2, "0.5", "cosent", [0.5, 0.5]),
        (3, (9.0, 4.0), "kl-divergence", [[9.0, 4.0]] * 2),
        (3, "5.5", "margin-mse", [[5.5]] * 2),
        (3, (5.5,), "margin-mse", [[5.5]] * 2),
        (1, (1.0, 2.0, 3.0), "embedding-mse", [[[1.0, 2.0, 3.0]]] * 2),
        (2, (1.0, 2.0, 3.0), "embedding-mse", [[[1.0, 2.0, 3.0]]] * 2),
    ],
)
def test_a_batch_has_one_label_an_example_in_the_losss_shape(
    num_texts: int, label: Label, loss: str, expected: Any, tokenizer: Tokenizer
) -> None:
    examples = labelled(num_texts, label, label)
    task = standing(examples, loss=loss, dense=3)
    batch = PlannedSource(task.groups(examples, tokenizer, LONGEST), 2).batch(
        np.arange(2), np.zeros(2, np.int64)
    )
    assert batch.labels["embedding"].tolist() == expected
    assert (batch.group_size, task.counts(batch)) == (num_texts, {"embedding": 2})
    vectors = torch.randn(2 * num_texts, 3, generator=torch.Generator().manual_seed(0))
    assert task.couples(batch) == (task.losses[0].scope == "batch")
    direct = task.losses[0](vectors.view(2, num_texts, 3), batch.labels["embedding"])
    if task.couples(batch):
        ((_, _, found),) = _terms(task.whole_loss(vectors, batch.labels, batch))
    else:
        ((_, _, found),) = _terms(task.loss({"embedding": vectors}, batch))
    assert found == pytest.approx(float(direct.sum()))


def _terms(terms: Any) -> list[tuple[str, float, float]]:
    return [(term.name, term.weight, float(term.total)) for term in terms]


def test_a_single_text_passes_twice(tokenizer: Tokenizer) -> None:
    examples = labelled(1, None, None)
    task = standing(examples)
    (group,) = task.groups(examples, tokenizer, LONGEST)
    assert group.texts.tolist() == [[0, 0], [1, 1]]
    for first, second in group.windows:
        assert first.input_ids.tolist() == second.input_ids.tolist()
        assert first.group_size == 2
    batch = PlannedSource([group], 2).batch(np.arange(2), np.zeros(2, np.int64))
    assert task.couples(batch)
    judged = task.encode(examples, tokenizer, LONGEST)
    assert [len(whole) for whole in judged] == [1, 1]  # one pass tells


def test_a_batch_goes_to_the_loss_of_its_data_set(tokenizer: Tokenizer) -> None:
    scored = labelled(2, 0.0, 5.0)
    triplets = [replace(one, data_set=1) for one in labelled(3, None, None)]
    mix = [{"path": "x", "loss": "triplet"}]
    task = standing([*scored, *triplets], mix=mix)
    source = PlannedSource(task.groups([*scored, *triplets], tokenizer, LONGEST), 2)
    pairs, threes = (source.batch(np.array(ids), np.zeros(2, np.int64)) for ids in ([0, 1], [2, 3]))
    assert (task.couples(pairs), task.couples(threes)) == (True, False)
    assert (pairs.group_size, threes.group_size) == (2, 3)
    vectors = torch.eye(6, WIDTH)
    expected = task.losses[1](vectors.view(2, 3, WIDTH)).sum()
    ((_, _, found),) = _terms(task.loss({"embedding": vectors}, threes))
    assert found == pytest.approx(float(expected))


# --- a teacher's vectors


@pytest.mark.parametrize("dimension", [None, 3])
def test_a_teachers_vectors_are_learned(dimension: int | None, tokenizer: Tokenizer) -> None:
    """Without a map vectors become the teacher's; with one they may be of another width."""
    width = WIDTH if dimension is None else dimension
    examples = labelled(1, *(tuple(map(float, row)) for row in np.eye(width) + 1.0))
    wanted = {"loss": "embedding-mse", "loss_settings": {}}
    if dimension is not None:
        wanted["loss_settings"] = {"teacher-dimension": dimension}
    torch.manual_seed(0)
    task = standing(examples, **wanted)
    batch = PlannedSource(task.groups(examples, tokenizer, LONGEST), width).batch(
        np.arange(width), np.zeros(width, np.int64)
    )
    vectors = nn.Parameter(torch.randn(width, WIDTH))
    parameters = [vectors, *task.losses[0].parameters()]
    optimizer = torch.optim.Adam(parameters, 0.1)
    for _ in range(200):
        optimizer.zero_grad()
        (term,) = task.loss({"embedding": vectors}, batch)
        term.total.backward()
        optimizer.step()
    assert float(term.total.detach()) < 1e-3
    if dimension is None:
        assert np.allclose(vectors.detach().numpy(), [one.label for one in examples], atol=0.05)
    assert len(parameters) == (1 if dimension is None else 3)


def test_a_teacher_of_another_width_is_told(tokenizer: Tokenizer) -> None:
    examples = labelled(1, (1.0, 2.0, 3.0))
    task = standing(examples)
    batch = PlannedSource(task.groups(examples, tokenizer, LONGEST), 1).batch(
        np.zeros(1, np.int64), np.zeros(1, np.int64)
    )
    with pytest.raises(UsageError, match=r"vectors have 3 entries, expected 4. Set `teacher_dim"):
        task.loss({"embedding": torch.zeros(1, WIDTH)}, batch)


def test_beside_a_teacher_similarities_should_follow_its_own() -> None:
    draw = np.random.default_rng(0)
    teacher = draw.standard_normal((6, 5))
    examples = labelled(2, *map(tuple, teacher.tolist()))
    vectors = [draw.standard_normal((2, WIDTH)).astype(np.float32) for _ in examples]
    found = embedding_scores.score(examples, vectors, "cosine")

    def cosine(one: np.ndarray, other: np.ndarray) -> float:
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    after = [(i + 1) % 6 for i in range(6)]
    ours = [cosine(vectors[i][0], vectors[j][1]) for i, j in enumerate(after)]
    theirs = [cosine(teacher[i], teacher[j]) for i, j in enumerate(after)]
    assert found["spearman_cosine"] == pytest.approx(spearmanr(ours, theirs).statistic)
    perfect = [np.stack([row, row]).astype(np.float32) for row in teacher]
    assert embedding_scores.score(examples, perfect, "cosine")["spearman_cosine"] == pytest.approx(
        1.0
    )
    uneven = [*examples[:5], replace(examples[5], label=(1.0,) * 4)]
    with pytest.raises(DataError, match=r"x:6: .* has 4 numbers, but x:1: 5"):
        embedding_scores.score(uneven, vectors, "cosine")


# --- vectors to scores


class Known:
    """A model of sentence-transformers' kind whose vectors are given."""

    similarity_fn_name = "cosine"
    similarity = staticmethod(cos_sim)
    model_card_data = SimpleNamespace(set_evaluation_metrics=lambda *_: None)

    def __init__(self, vectors: dict[str, np.ndarray]) -> None:
        self.vectors = vectors

    def encode(self, texts: list[str], **_: Any) -> np.ndarray:
        return np.stack([self.vectors[text] for text in texts])

    encode_query = encode_document = encode


def drawn(examples: Sequence[EmbeddingExample], seed: int = 0) -> list[np.ndarray]:
    """Vectors of an example's texts, equal for equal texts."""
    draw = np.random.default_rng(seed)
    known: dict[str, np.ndarray] = {}
    for text in (text for one in examples for text in one.texts):
        known.setdefault(text, draw.standard_normal(WIDTH).astype(np.float32))
    return [np.stack([known[text] for text in one.texts]) for one in examples]


def by_text(examples: Sequence[EmbeddingExample], rows: Sequence[np.ndarray]) -> dict[str, Any]:
    pairs = zip(examples, rows, strict=True)
    return {text: row for one, some in pairs for text, row in zip(one.texts, some, strict=True)}


def test_scored_pairs_are_measured_as_by_sentence_transformers() -> None:
    examples = labelled(2, *(f"{i * 7 % 11 / 2}" for i in range(11)))
    rows = drawn(examples)
    found = embedding_scores.score(examples, rows, "cosine")
    firsts, seconds = zip(*(one.texts for one in examples), strict=True)
    scores = [float(str(one.label)) for one in examples]
    evaluator = EmbeddingSimilarityEvaluator(list(firsts), list(seconds), scores, write_csv=False)
    expected = evaluator(Known(by_text(examples, rows)))  # type: ignore[arg-type]
    for name in ("spearman_cosine", "pearson_cosine"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6)
    assert set(embedding_scores.score(examples, rows, "manhattan")) == {
        "spearman_manhattan",
        "pearson_manhattan",
    }


def test_inference_is_judged_by_the_order_of_its_classes() -> None:
    examples = labelled(2, "Entailment", "neutral", "contradiction", "neutral", "entailment")
    rows = drawn(examples)
    found = embedding_scores.score(examples, rows, "dot")
    products = [float(one[0] @ one[1]) for one in rows]
    ranks = [1.0, 0.5, 0.0, 0.5, 1.0]
    assert found["spearman_dot"] == pytest.approx(spearmanr(products, ranks).statistic)
    assert found["pearson_dot"] == pytest.approx(pearsonr(products, ranks).statistic)


def test_pairs_of_0_and_1_are_told_apart_as_by_sentence_transformers() -> None:
    examples = labelled(2, *(str(i * 3 % 7 % 2) for i in range(14)))
    rows = drawn(examples)
    found = embedding_scores.score(examples, rows, "cosine")
    firsts, seconds = zip(*(one.texts for one in examples), strict=True)
    labels = [int(str(one.label)) for one in examples]
    evaluator = BinaryClassificationEvaluator(list(firsts), list(seconds), labels, write_csv=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = evaluator(Known(by_text(examples, rows)))  # type: ignore[arg-type]
    for name in ("cosine_ap", "cosine_accuracy", "cosine_f1"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6)


def test_classes_without_an_order_are_judged_by_how_far_they_stand_apart() -> None:
    examples = labelled(2, *("same", "other", "unsure") * 4)
    same, other, askew = ([[1.0, 0.0], then] for then in ([1.0, 0.0], [0.0, 1.0], [1.0, 1.0]))
    rows = [np.array(one, dtype=np.float32) for one in (same, other, askew) * 4]
    assert embedding_scores.score(examples, rows, "cosine") == {
        "cosine_eta_squared": pytest.approx(1.0)
    }
    mixed = rows[1:] + rows[:1]
    assert embedding_scores.score(examples, mixed, "cosine")["cosine_eta_squared"] == pytest.approx(
        1.0
    )
    shuffled = [rows[i // 4] for i in range(12)]  # each class has one of each
    found = embedding_scores.score(examples, shuffled, "cosine")["cosine_eta_squared"]
    assert found < 0.1


def test_numbers_that_were_learned_as_classes_have_no_order() -> None:
    """As SNLI's codes, of which 0 is entailment."""
    examples = labelled(2, *["0", "1", "2"] * 8)
    task = standing(examples, loss="softmax")
    assert task.metric == task.judged_by(examples[:9]).metric == "cosine_eta_squared"
    rows = [np.array([[1.0, 0.0], [1.0 - 0.5 * int(one.label), 1.0]], np.float32)  # type: ignore
            for one in examples]  # fmt: skip
    found = task.score(examples, rows)
    assert found == {"cosine_eta_squared": pytest.approx(1.0)}
    assert set(task.intervals(examples, rows, Bootstrap(0, 20))) == set(found)
    scores = labelled(2, "0", "2.5", "5")  # of others they are scores
    assert task.judged_by(scores).metric == "spearman_cosine"
    names = labelled(2, "entailment", "neutral", "contradiction")
    assert begin(names, loss="softmax").metric == "spearman_cosine"


def test_a_label_that_is_no_score_is_told_of_where_it_is_measured() -> None:
    task = standing(labelled(2, "0", "2.5", "5"))
    faulty = labelled(2, "0.5", "3", "N/A")
    with pytest.raises(DataError, match=r"x:3: the label is 'N/A', while 2 of 3 are numbers"):
        task.judged_by(faulty)
    with pytest.raises(DataError, match=r"x:3: the label is 'N/A'"):
        embedding_scores.score(faulty, [np.eye(2, dtype=np.float32)] * 3, "cosine")


def test_positives_are_found_as_by_sentence_transformers() -> None:
    examples = [example(f"q{i}", f"p{i}", f"n{i % 4}", line=i) for i in range(14)]
    rows = drawn(examples)
    found = embedding_scores.score(examples, rows, "cosine")
    corpus = {text: text for one in examples for text in one.texts[1:]}
    evaluator = InformationRetrievalEvaluator(
        {one.id: one.texts[0] for one in examples},
        corpus,
        {one.id: {one.texts[1]} for one in examples},
        mrr_at_k=[10],
        ndcg_at_k=[10],
        accuracy_at_k=[1, 10],
        write_csv=False,
    )
    expected = evaluator(Known(by_text(examples, rows)))  # type: ignore[arg-type]
    names = {name: value for name, value in found.items() if f"cosine_{name}" in expected}
    assert {"mrr@10", "ndcg@10"} <= set(names)
    for name, value in names.items():
        assert value == pytest.approx(expected[f"cosine_{name}"], abs=1e-6), name


def test_an_anchor_does_not_find_itself() -> None:
    examples = [example("a", "b"), example("b", "a", line=2), example("c", "d", line=3)]
    rows = [np.eye(WIDTH, dtype=np.float32)[[i, j]] for i, j in ((0, 1), (1, 0), (2, 2))]
    # b is nearest to itself and a to a, each of which is another's positive.
    assert embedding_scores.score(examples, rows, "cosine")["mrr@10"] == 1.0


@pytest.mark.parametrize("by", ["cosine", "dot", "euclidean"])
def test_neighbours_are_those_of_the_similarity(by: Any) -> None:
    draw = np.random.default_rng(1)
    queries, corpus = (draw.standard_normal((n, 5)).astype(np.float32) for n in (4, 20))
    found = embedding_scores.nearest_by(by, queries, corpus, 6)
    if by == "euclidean":
        alike = -np.linalg.norm(queries[:, None] - corpus[None], axis=2)
    else:
        alike = queries @ corpus.T
        if by == "cosine":
            alike = alike / np.linalg.norm(corpus, axis=1)
    np.testing.assert_array_equal(found.indices, np.argsort(-alike, axis=1)[:, :6])
    with pytest.raises(UsageError, match="manhattan distance is not measured here"):
        embedding_scores.nearest_by("manhattan", queries, corpus, 6)


@pytest.mark.parametrize(
    "examples",
    [
        labelled(2, *(i / 12 for i in range(12))),
        labelled(2, *("01"[i % 2] for i in range(12))),
        labelled(3, *[None] * 12),
        labelled(2, *("same", "other", "unsure") * 4),
    ],
    ids=["scores", "classes", "positives", "names"],
)
def test_every_score_has_an_interval_around_it(examples: list[EmbeddingExample]) -> None:
    task, rows = begin(examples), drawn(examples)
    found, around = task.score(examples, rows), task.intervals(examples, rows, Bootstrap(0, 30))
    assert task.metric in around
    assert set(around) <= set(found)
    for name, interval in around.items():
        assert interval.low <= found[name] + 1e-9, name
        assert found[name] <= interval.high + 1e-9, name
    assert task.tuned(examples, rows) is task


def test_single_texts_tell_nothing_of_vectors() -> None:
    examples = labelled(1, None, None)
    task = begin(examples)
    with pytest.raises(DataError, match=r"name a file of pairs with scores, .* by --validation"):
        task.score(examples, drawn(examples))
    assert task.judged_by(labelled(2, 0.0, 2.0)).metric == "spearman_cosine"


def test_an_answer_is_how_alike_texts_are_to_the_first() -> None:
    task = begin(labelled(3, None))
    rows = task.merge(example("a", "b", "c"), [], list(np.eye(3, dtype=np.float32)[[0, 0, 1]]))
    assert rows.shape == (3, 3)
    assert task.decode(example("a", "b", "c"), rows) == {"similarities": [1.0, 0.0]}


# --- the model in training


def test_only_the_encoder_is_published() -> None:
    class Nothing(nn.Module):
        """Stands for an encoder."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

    losses = standing(labelled(2, "a", "b", "c")).losses
    encoder: Any = Nothing()
    model = Siamese(Model(encoder, {HEAD: nn.Identity()}), losses)
    beside, published = model.beside(), model.published().state_dict()
    assert set(published) == {"encoder.layer.weight", "encoder.layer.bias"}
    assert beside
    assert all(name.startswith("losses.0.") for name in beside)
    assert set(model.state_dict()) == {*published, *beside}

    kept = {name: tensor + 1.0 for name, tensor in beside.items()}
    zeros = {name: torch.zeros_like(tensor) for name, tensor in published.items()}
    model.restore(zeros, kept)
    assert all(torch.equal(model.state_dict()[name], kept[name]) for name in kept)
    assert float(encoder.layer.weight.detach().abs().sum()) == 0.0
    model.restore({name: tensor + 2.0 for name, tensor in zeros.items()}, {})
    assert all(torch.equal(model.state_dict()[name], kept[name]) for name in kept)  # losses stay
    assert float(encoder.layer.bias.detach().sum()) == 4.0
