"""Cross-encoders as a task: what they read, what they learn from, and what they answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from transformers import PreTrainedTokenizerFast

from unmask.data.labelled.examples import RankedExample
from unmask.data.windows import WindowSource
from unmask.errors import DataError
from unmask.tasks import registry, reranking_scores
from unmask.tasks.classification import Classification
from unmask.tasks.config import ClassificationConfig
from unmask.tasks.metrics.resampling import Bootstrap
from unmask.tasks.reranking import Reranking
from unmask.tasks.reranking_config import RerankingConfig
from unmask.tasks.reranking_windows import kept
from unmask.tasks.targets.number import Number
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece

WORDS = "the cook cut bread rain fell all night on town she found an old key fox sang in tower"
BINARY = RankedExample("1", "who sang", ("a fox sang", "rain fell", "the key"), (1, 0, 0), "x:1")
GRADED = RankedExample("2", "the town", ("the old town", "rain fell"), (3.0, 1.0), "x:2")
ALIKE = RankedExample("3", "bread", ("the bread", "the cook"), (0.0, 0.0), "x:3")
LONGEST = 16


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_wordpiece([WORDS] * 3, TokenizerConfig(vocab_size=90, min_frequency=1))


def begin(*examples: RankedExample, **settings: Any) -> Reranking:
    return Reranking.begin(RerankingConfig.model_validate(settings), examples)


def graded(*grades: float, documents: Sequence[str] | None = None) -> RankedExample:
    given = tuple(documents or (f"document {i}" for i in range(len(grades))))
    return RankedExample("1", "query", given, tuple(grades), "x:7")


@pytest.mark.parametrize(
    ("grades", "loss", "activation", "metric"),
    [
        ((0.0, 1.0), "lambda", "identity", "ndcg@10"),
        ((0.0, 0.5, 1.0), "binary-cross-entropy", "sigmoid", "ndcg@10"),
        ((0.0, 1.0, 3.0), "lambda", "identity", "ndcg@10"),
        ((-1.0, 2.0), "mean-squared-error", "identity", "spearman"),
        ((0.0, 2.5), "mean-squared-error", "identity", "ndcg@10"),
        ((1.0, 2.0), "lambda", "identity", "spearman"),
        ((0.0, 99.0), "mean-squared-error", "identity", "ndcg@10"),
    ],
)
def test_the_loss_fits_the_grades(
    grades: tuple[float, ...], loss: str, activation: str, metric: str
) -> None:
    task = begin(graded(*grades))
    assert (task.config.loss, task.activation, task.metric) == (loss, activation, metric)


def test_single_pairs_are_judged_as_pairs() -> None:
    examples = [graded(float(i % 2)) for i in range(6)]
    task = begin(*examples)
    assert (task.config.loss, task.metric) == ("binary-cross-entropy", "ap")
    numbers = begin(*[graded(float(i)) for i in range(6)])
    assert (numbers.config.loss, numbers.metric) == ("mean-squared-error", "spearman")


@pytest.mark.parametrize(
    ("example", "settings", "message"),
    [
        (graded(), {}, "x:7: the query has no documents; expected at least one"),
        (replace(BINARY, grades=None), {}, "x:1: has no grades for 3 documents; expected one each"),
        (replace(BINARY, grades=(1.0,)), {}, "has 1 grades for 3 documents"),
        (graded(1.0, float("nan")), {}, "x:7: a grade is nan; expected a number"),
        (graded(1.0, float("inf")), {}, "x:7: a grade is inf; expected a number"),
        (ALIKE, {}, "all documents of all 1 queries are graded 0, so that no order of them is"),
        (graded(1.0, 1.0), {}, "graded 1, so that no .* `unmask mine` finds others"),
        (graded(0.0, 2.0), {"loss": "binary-cross-entropy"}, "a grade is 2; loss .* takes 0 to 1"),
        (graded(-1.0, 2.0), {"loss": "lambda"}, "a grade is -1; loss lambda takes 0 to 30"),
        (graded(0.0, 99.0), {"loss": "lambda"}, "a grade is 99; loss lambda takes 0 to 30"),
    ],
)
def test_what_cannot_be_learned_is_told(
    example: RankedExample, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        begin(example, **settings)


@pytest.mark.parametrize("loss", ["ranknet", "listnet", "listmle", "lambda"])
def test_an_order_needs_two_documents_of_different_grades(loss: str) -> None:
    pairs = [graded(1.0), graded(0.0)]
    with pytest.raises(DataError, match=f"no query has two documents.*loss {loss} compares"):
        begin(*pairs, loss=loss)
    assert begin(*pairs).config.loss == "binary-cross-entropy"


@pytest.mark.parametrize("loss", ["ranknet", "listnet", "listmle", "lambda"])
def test_queries_without_an_order_are_left_out_of_training(
    loss: str, tokenizer: Tokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    examples = [BINARY, ALIKE, graded(1.0), GRADED]
    task = begin(*examples, loss=loss)
    with caplog.at_level(logging.WARNING):
        windows = task.training_windows(examples, tokenizer, LONGEST)
    assert [window.group_size for window in windows] == [3, 3, 3, 2, 2]
    assert "2 of 4 queries are left out of training: all their documents are graded" in caplog.text
    source = WindowSource(windows)
    batch = source.batch(np.arange(2), np.zeros(2, np.int64))
    assert batch.labels["relevance"].tolist()[:5] == [1.0, 0.0, 0.0, 3.0, 1.0]
    assert batch.labels["relevance"].isnan().tolist() == [False] * 5 + [True]


def test_pairs_are_samples_by_themselves_where_none_are_compared(tokenizer: Tokenizer) -> None:
    examples = [BINARY, ALIKE]
    task = begin(*examples, loss="binary-cross-entropy")
    windows = task.training_windows(examples, tokenizer, LONGEST)
    assert [window.group_size for window in windows] == [1] * 5
    assert [window.labels["relevance"].tolist() for window in windows] == [[1], [0], [0], [0], [0]]
    assert len(WindowSource(windows)) == 5


def test_a_query_stands_before_each_document(tokenizer: Tokenizer) -> None:
    (windows,) = begin(BINARY).encode([BINARY], tokenizer, LONGEST)
    special = tokenizer.special
    opening = [special.cls, *tokenizer.encode(BINARY.query), special.sep]
    for window, document in zip(windows, BINARY.documents, strict=True):
        ids = [*opening, *tokenizer.encode(document), special.sep]
        assert (window.input_ids.tolist(), window.num_first) == (ids, len(opening))


@pytest.mark.parametrize("room", [4, 5, 12, 13, 60])
def test_cutting_is_that_of_transformers(room: int, tokenizer: Tokenizer) -> None:
    theirs = PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_str(tokenizer.backend.to_str())
    )
    for first in range(16):
        for second in range(16):
            one, other = ("fox " * first).strip(), ("key " * second).strip()
            (ids,) = theirs([one], [other], truncation=True, max_length=room + 3)["input_ids"]
            size = len(tokenizer.encode("fox")), len(tokenizer.encode("key"))
            found = kept(first * size[0], second * size[1], room)
            assert len(ids) == sum(found) + 3
            assert ids.index(tokenizer.special.sep) == found[0] + 1


def test_long_documents_are_cut_once_told(
    tokenizer: Tokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    example = replace(BINARY, documents=("the bread " * 20, "a fox", "rain"))
    task = begin(example)
    with caplog.at_level(logging.WARNING):
        for one in (task, task.judged_by([BINARY]), task):
            (windows,) = one.encode([example], tokenizer, LONGEST)
    assert len(windows[0].input_ids) == LONGEST
    assert caplog.text.count("1 of 3 documents do not fit into 16 tokens beside their query") == 1


def test_the_best_of_a_documents_windows_counts(tokenizer: Tokenizer) -> None:
    example = replace(BINARY, documents=("the bread " * 20, "a fox", ""))
    task = begin(BINARY, windows="best", stride=2)
    (windows,) = task.encode([example], tokenizer, LONGEST)
    assert all(window.places is not None for window in windows)
    numbers = [int(window.places[0]) for window in windows if window.places is not None]
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2}
    assert numbers.count(0) > 3
    assert max(len(window.input_ids) for window in windows) == LONGEST
    logits = [np.array([float(-i)]) for i in range(len(windows))]
    logits[2] = np.array([9.0])
    assert task.merge(example, windows, logits).tolist() == [
        9.0,
        2.0 - len(windows),
        1.0 - len(windows),
    ]
    trained = task.training_windows([BINARY], tokenizer, LONGEST)
    assert len(trained) == 3  # by their beginnings alone


def test_a_query_without_documents_cannot_be_scored(tokenizer: Tokenizer) -> None:
    empty = replace(BINARY, documents=(), grades=None)
    with pytest.raises(DataError, match="x:1: the query has no documents; expected some"):
        begin(BINARY).encode([empty], tokenizer, LONGEST)


def test_answers_are_scores_best_first() -> None:
    task = begin(BINARY, loss="binary-cross-entropy")
    found = task.decode(BINARY, np.array([0.0, 2.0, 0.0]))
    assert [one["corpus_id"] for one in found["ranking"]] == [1, 0, 2]
    assert found["ranking"][1]["score"] == 0.5
    assert task.decode(graded(1.0), np.array([0.0])) == {"score": 0.5}
    raw = begin(GRADED).decode(GRADED, np.array([-1.0, 5.0]))
    assert raw["ranking"][0] == {"corpus_id": 1, "score": 5.0}
    wide = replace(task, activation="tanh").activated(np.array([1.0]))
    assert (wide.dtype, wide.tolist()) == (np.float32, [pytest.approx(np.tanh(1.0))])


def test_the_order_of_each_query_is_scored() -> None:
    examples = [BINARY, ALIKE, GRADED]
    scores = [np.array([0.1, 0.9, 0.5]), np.array([1.0, 2.0]), np.array([2.0, 1.0])]
    found = reranking_scores.score(examples, scores)
    assert found["mrr@10"] == pytest.approx(1 / 3)  # of BINARY alone: GRADED has no document of 0
    assert (found["queries_total"], found["queries_left_out_total"]) == (1.0, 2.0)
    assert set(found) >= {"spearman", "pearson"}
    only = reranking_scores.score([BINARY, BINARY], [scores[0]] * 2)
    assert set(only) == {
        "map", "mrr@10", "ndcg@10", "queries_total", "queries_left_out_total",
    }  # fmt: skip
    perfect = reranking_scores.score([BINARY], [np.array([3.0, 1.0, 2.0])])
    assert (perfect["map"], perfect["ndcg@10"]) == (1.0, 1.0)


def test_pairs_are_scored_by_their_classes_or_numbers() -> None:
    pairs = [graded(float(i % 2)) for i in range(8)]
    right = [np.array([float(i % 2)]) for i in range(8)]
    assert reranking_scores.score(pairs, right) == {"ap": 1.0, "accuracy": 1.0, "f1": 1.0}
    assert set(reranking_scores.intervals(pairs, right, Bootstrap(0, 20))) == {
        "ap", "accuracy", "f1",
    }  # fmt: skip
    numbers = [graded(i / 3) for i in range(8)]
    found = reranking_scores.score(numbers, [np.array([i * 2.0]) for i in range(8)])
    assert found == {"spearman": pytest.approx(1.0), "pearson": pytest.approx(1.0)}
    assert reranking_scores.score([ALIKE], [np.zeros(2)]) == {}
    with pytest.raises(DataError, match="are graded 0, so that no order"):
        reranking_scores.intervals([ALIKE], [np.zeros(2)], Bootstrap(0, 20))


def test_a_folder_keeps_the_task() -> None:
    for task in (begin(BINARY), begin(GRADED, pooling="mean"), Reranking.foreign("tanh")):
        assert registry.restore(task.stored()) == task
    stored = begin(BINARY).stored()
    for wrong in ({"activation": "relu"}, {"config": {"loss": "auto"}}, {"config": {"loss": "x"}}):
        with pytest.raises(DataError, match=r"unmask.json: `task` is"):
            registry.restore({**stored, **wrong})


def test_a_model_that_gives_pairs_a_number_can_rank() -> None:
    config = ClassificationConfig(kind="regression")
    found = registry.as_reranker(Classification(config, Number()))
    assert found == Reranking.foreign("sigmoid")
    assert registry.as_reranker(Classification(config, Number(), pairs=False)) is None
    assert registry.as_reranker(None) is None
    own = begin(GRADED)
    assert registry.as_reranker(own) is own


def test_the_mean_is_read_over_every_token(tokenizer: Tokenizer) -> None:
    task = begin(BINARY, pooling="mean", loss="binary-cross-entropy")
    windows = task.training_windows([BINARY], tokenizer, LONGEST)
    batch = WindowSource(windows).batch(np.arange(3), np.zeros(3, np.int64))
    assert task.rows(batch) is None
    assert (task.head, task.architecture) == ("classifier", None)
    hidden = torch.randn(batch.num_tokens, 4, generator=torch.Generator().manual_seed(0))
    found = task.outputs(torch.nn.ModuleDict({"classifier": torch.nn.Identity()}), hidden, batch)
    torch.testing.assert_close(
        found["relevance"][1], hidden[batch.lengths[0] :][: batch.lengths[1]].mean(0)
    )


def test_settings_that_a_loss_has_are_kept() -> None:
    task = begin(BINARY, loss="binary-cross-entropy", positive_weight=3.0)
    assert registry.restore(task.stored()) == task
    assert task.config.positive_weight == 3.0
