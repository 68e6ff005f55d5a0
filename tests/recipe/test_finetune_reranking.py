"""Fine-tuning a tiny cross-encoder, from files of every form to a folder that others load."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder

import unmask
from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.config import LabelledConfig
from unmask.errors import DataError, UsageError
from unmask.models.config import BertConfig
from unmask.recipe.assess import assess
from unmask.recipe.config import Finetune
from unmask.recipe.finetune import finetune
from unmask.recipe.outcome import Outcome
from unmask.tasks.reranking import Reranking
from unmask.tasks.task import Model
from unmask.text.config import TokenizerConfig
from unmask.text.train import train_wordpiece

GOOD, BAD = ("good", "fine", "great"), ("bad", "dull", "poor")
LIST_LOSSES = ("ranknet", "listnet", "listmle", "lambda")
Records = list[dict[str, Any]]


def lists(number: int, first: int = 0, levels: int = 2) -> Records:
    """Queries with two to four documents, of which one word tells the grade."""
    made = []
    for i in range(first, first + number):
        size = 2 + i % 3
        grades = [(i + j) % size % levels for j in range(size)]
        words = [
            BAD[(i + j) % 3] if grade == 0 else GOOD[grade - 1] for j, grade in enumerate(grades)
        ]
        documents = [f"the film {j} was {word} to see {i % 7}" for j, word in enumerate(words)]
        made.append({"query": f"film {i} to see", "documents": documents, "labels": grades})
    return made


def as_rows(records: Records) -> Records:
    return [
        {"query": one["query"], "document": document, "label": grade}
        for one in records
        for document, grade in zip(one["documents"], one["labels"], strict=True)
    ]


def as_triplets(records: Records) -> Records:
    return [
        {
            "query": one["query"],
            "positive": [d for d, g in zip(one["documents"], one["labels"], strict=True) if g],
            "negatives": [d for d, g in zip(one["documents"], one["labels"], strict=True) if not g],
        }
        for one in records
    ]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Records], Path]:
    def writing(name: str, records: Records) -> Path:
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
        return path

    return writing


@pytest.fixture
def pretrained(make_model: Callable[..., Model], tmp_path: Path) -> Path:
    vocabulary = " ".join([*GOOD, *BAD, "the film was to see 0 1 2 3 4 5 6"])
    tokenizer = train_wordpiece([vocabulary] * 4, TokenizerConfig(vocab_size=64, min_frequency=1))
    config = BertConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    native.save(Bundle(make_model(), None, tokenizer, config, None), tmp_path / "base")
    return tmp_path / "base"


def recipe(**settings: Any) -> Finetune:
    train = {"steps": 80, "batch_size": 8, "evaluate_every": 20, **settings.pop("train", {})}
    optim = {"learning_rate": 3e-3, **settings.pop("optim", {})}
    given = {"task": "reranking", "baselines": False, "pictures": False, "dropout": 0.0}
    return Finetune.model_validate({**given, "train": train, "optim": optim, **settings})


def go(train: Any, model: Path, output: Path, settings: Finetune, **others: Any) -> Outcome:
    return finetune(train, model, output, settings, **{"say": lambda _: None, **others})


@pytest.mark.parametrize("form", [lists, as_rows, as_triplets], ids=["lists", "rows", "triplets"])
def test_a_model_learns_from_files_of_every_form(
    form: Callable[..., Records],
    write: Callable[..., Path],
    pretrained: Path,
    tmp_path: Path,
) -> None:
    shaped = form if form is not lists else (lambda records: records)
    train, test = write("train", shaped(lists(40))), write("test", shaped(lists(12, 100)))
    outcome = go(train, pretrained, tmp_path / "run", recipe(), test=test)

    assert outcome.metric == "ndcg@10"
    assert outcome.test is not None
    assert outcome.test["ndcg@10"] == outcome.test["map"] == 1.0
    assert outcome.intervals["ndcg@10"] == (1.0, 1.0)
    engine = unmask.load(outcome.folder)
    ranked = engine.rank("film 3 to see", ["the film 1 was dull", "the film 2 was good"])
    assert [one["corpus_id"] for one in ranked] == [1, 0]
    found = assess(engine.bundle, test, LabelledConfig())
    assert found.scores["ndcg@10"] == 1.0

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = CrossEncoder(str(outcome.folder), device="cpu")
    pairs = [("film 1", f"the film {i} was {word}") for i, word in enumerate((*GOOD, *BAD))]
    np.testing.assert_allclose(engine.predict(pairs), theirs.predict(pairs), rtol=0, atol=1e-5)


@pytest.mark.parametrize("loss", [*LIST_LOSSES, "mean-squared-error"])
def test_graded_lists_are_learned_by_every_loss(
    loss: str, write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    train = write("train", lists(40, levels=3))
    settings = recipe(settings={"loss": loss}, train={"steps": 120, "batch_size": 4})
    outcome = go(train, pretrained, tmp_path / "run", settings)
    assert outcome.validation["ndcg@10"] > 0.98
    task: Any = native.load(outcome.folder).task
    assert (task.config.loss, task.activation) == (loss, "identity")


def test_micro_batches_of_uneven_lists_change_nothing(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    train = write("train", lists(20, levels=3))
    states = []
    for tokens in (8192, 1):
        settings = recipe(
            settings={"loss": "lambda"},
            train={"steps": 4, "micro_batch_tokens": tokens},
            optim={"learning_rate": 1e-4},
        )
        folder = go(train, pretrained, tmp_path / str(tokens), settings).folder
        states.append(native.load(folder).model.state_dict())
    for name, tensor in states[0].items():
        if name.endswith("classifier.bias"):
            continue  # no order depends on it, so Adam scales its gradient's rounding up
        torch.testing.assert_close(states[1][name], tensor, rtol=0, atol=1e-6)


def test_the_baselines_and_the_card_stand_beside(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    train = write("train", lists(30))
    own = {"max_length": 32, "loss": "binary-cross-entropy"}
    settings = recipe(baselines=True, pictures=True, settings=own)
    said: list[str] = []
    outcome = go(train, pretrained, tmp_path / "run", settings, say=said.append)
    assert list(outcome.baselines) == ["bm25", "order given"]
    text = (outcome.folder / "README.md").read_text()
    assert "library_name: sentence-transformers\npipeline_tag: text-ranking" in text
    assert "# A cross-encoder of" in text
    assert 'CrossEncoder("path/to/this/folder").rank("How do birds fly?"' in text
    assert "Labels:" not in text
    config = json.loads((outcome.folder / "config.json").read_text())
    assert config["sentence_transformers"] == {
        "activation_fn": "torch.nn.modules.activation.Sigmoid"
    }
    # Other tools cut where the tokenizer says.
    assert json.loads((outcome.folder / "tokenizer_config.json").read_text())[
        "model_max_length"
    ] == 32  # fmt: skip

    again = go(train, outcome.folder, tmp_path / "more", settings, say=said.append)
    assert list(again.baselines) == ["bm25", "order given", "before training"]
    assert again.baselines["before training"]["ndcg@10"] == outcome.validation["ndcg@10"]
    assert "the model scores pairs already: its score is what is trained on" in said


def test_going_on_begins_with_the_models_own_score(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    train = write("train", lists(30))
    first = go(train, pretrained, tmp_path / "run", recipe())
    still = recipe(train={"steps": 1}, optim={"learning_rate": 1e-12})
    second = go(train, first.folder, tmp_path / "more", still)
    pairs = [("film 1", f"the film was {word}") for word in (*GOOD, *BAD)]
    found, expected = (unmask.load(one.folder).predict(pairs) for one in (second, first))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_single_pairs_are_measured_as_pairs(
    write: Callable[..., Path], pretrained: Path, tmp_path: Path
) -> None:
    rows = [{**one, "query": f"film {i}"} for i, one in enumerate(as_rows(lists(30)))]
    outcome = go(write("train", rows), pretrained, tmp_path / "run", recipe())
    assert outcome.metric == "ap"
    assert outcome.validation == {"ap": 1.0, "accuracy": 1.0, "f1": 1.0}


def test_rows_of_python_are_trained_on(pretrained: Path, tmp_path: Path) -> None:
    rows = [(one["query"], one["documents"], one["labels"]) for one in lists(30)]
    outcome = go(rows, pretrained, tmp_path / "run", recipe(train={"steps": 4}))
    assert isinstance(native.load(outcome.folder).task, Reranking)


@pytest.mark.parametrize(
    ("records", "settings", "message"),
    [
        ([{"query": "q", "documents": [], "labels": []}] * 12, {}, "no document"),
        (
            [{"query": str(i), "documents": ["a", "b"], "labels": [1, 1]} for i in range(12)],
            {"loss": "listnet"},
            "all documents of all 11 queries are graded 1",
        ),
        (
            [{"query": str(i), "document": "a", "label": i % 2} for i in range(12)],
            {"loss": "lambda"},
            "no query has two documents of different grades",
        ),
        (
            [{"query": str(i), "documents": ["a"], "labels": [float("nan")]} for i in range(12)],
            {},
            "label is not finite",
        ),
    ],
)
def test_what_cannot_be_learned_is_told(
    records: Records,
    settings: dict[str, Any],
    message: str,
    write: Callable[..., Path],
    pretrained: Path,
    tmp_path: Path,
) -> None:
    with pytest.raises((DataError, UsageError), match=message):
        go(write("train", records), pretrained, tmp_path / "run", recipe(settings=settings))
    assert not (tmp_path / "run" / "model").exists()
