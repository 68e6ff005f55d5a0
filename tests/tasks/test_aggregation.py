"""Words and groups are those of transformers' pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import TaggedExample
from unmask.data.labelled.words import joined
from unmask.tasks.aggregation import by_word, entities
from unmask.tasks.config import TaggingConfig
from unmask.tasks.predicting import raw_scores
from unmask.tasks.tagging import Tagging
from unmask.tasks.words import words_of
from unmask.text.config import TokenizerConfig
from unmask.text.special import SpecialTokens
from unmask.text.tokenizer import Tokenizer
from unmask.text.wordpiece import build

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
LETTERS = "abcdefgh"
PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS), ".")
TEXTS = ["abc de f gh. cab", "a b c", "hgfedcba", "bad cafe fed a dead beef . head face", ". ."]


def make_tokenizer() -> Tokenizer:
    vocabulary = {piece: i for i, piece in enumerate(PIECES)}
    return Tokenizer(build(vocabulary, TokenizerConfig(), SpecialTokens()), SpecialTokens())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of transformers that is sure of nothing, so that pieces of a word disagree."""
    path = tmp_path_factory.mktemp("tagger")
    config = transformers.BertConfig(
        vocab_size=len(PIECES),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
    )
    torch.manual_seed(0)
    model = transformers.BertForTokenClassification(config)
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight.normal_()
        model.classifier.weight.normal_(std=0.5)
    model.save_pretrained(path)
    make_tokenizer().save(path)
    return path


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Iterator[Any]:
    tokenizer = transformers.BertTokenizerFast.from_pretrained(folder)
    model = transformers.BertForTokenClassification.from_pretrained(folder)
    return transformers.pipeline("token-classification", model=model, tokenizer=tokenizer)


def ours(bundle: Bundle, examples: list[TaggedExample], **settings: Any) -> list[dict[str, Any]]:
    """What our task answers."""
    assert isinstance(bundle.task, Tagging)
    assert bundle.tokenizer is not None
    task = replace(bundle.task, config=TaggingConfig(**settings))
    found = raw_scores(bundle.model, task, examples, bundle.tokenizer, bundle.max_length)
    return [task.decode(example, scores) for example, scores in found]


def assert_same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert [{**one, "score": None} for one in found] == [{**one, "score": None} for one in expected]
    scores, reference = ([one["score"] for one in these] for these in (found, expected))
    assert scores == pytest.approx([float(score) for score in reference], rel=1e-5)


@pytest.mark.parametrize("strategy", ["first", "average", "max"])
def test_groups_of_raw_texts_are_those_of_the_pipeline(
    folder: Path, pipeline: Any, strategy: Any
) -> None:
    bundle = native.load(folder)
    assert bundle.task == Tagging(TaggingConfig(), LABELS, "iob2")
    assert bundle.tokenizer is not None
    spans = [words_of(text, bundle.tokenizer) for text in TEXTS]
    examples = [TaggedExample("", *both, None, "") for both in zip(TEXTS, spans, strict=True)]

    found = ours(bundle, examples, aggregation=strategy)

    expected = pipeline(TEXTS, aggregation_strategy=strategy)
    assert sum(map(len, expected)) > 8
    for one, other in zip(found, expected, strict=True):
        assert_same(one["entities"], other)


def test_the_strategies_differ_here(pipeline: Any) -> None:
    found = [pipeline(TEXTS, aggregation_strategy=name) for name in ("first", "average", "max")]
    names = [[[e["entity_group"] for e in text] for text in texts] for texts in found]
    assert names[0] != names[1] != names[2] != names[0]


@pytest.mark.parametrize("strategy", ["first", "average", "max"])
def test_groups_of_given_words_are_those_of_the_pipeline(
    folder: Path, pipeline: Any, strategy: Any
) -> None:
    words = ["bad", "cafe", "fed", "a", "dead", "beef", ".", "head", "face"]

    (found,) = ours(
        native.load(folder), [TaggedExample("", *joined(words), None, "")], aggregation=strategy
    )

    (expected,) = pipeline([words], is_split_into_words=True, aggregation_strategy=strategy)
    assert_same(found["entities"], expected)


@pytest.mark.parametrize("strategy", ["none", "simple"])
def test_words_of_one_piece_are_the_pipelines_tokens(
    folder: Path, pipeline: Any, strategy: Any
) -> None:
    text = "a b c d e f g h . g f e d c b a"
    example = TaggedExample("", *joined(text.split()), None, "")

    (found,) = ours(native.load(folder), [example], aggregation=strategy)

    assert_same(found["entities"], pipeline(text, aggregation_strategy=strategy))


def test_simple_is_first_since_words_are_never_divided(folder: Path) -> None:
    bundle = native.load(folder)
    examples = [TaggedExample("", *joined(text.split()), None, "") for text in TEXTS]

    assert ours(bundle, examples, aggregation="simple") == ours(
        bundle, examples, aggregation="first"
    )


def test_entities_are_cut_from_the_text() -> None:
    text = "“Élise  O’Neill” 😀 lives\tin 中 文"
    words = ((0, 1), (1, 6), (8, 15), (15, 16), (17, 18), (19, 24), (25, 27), (28, 29), (30, 31))
    example = TaggedExample("1", text, words, None, "file:1")
    tags = ["O", "B-PER", "I-PER", "O", "B-EMO", "O", "O", "I-LOC", "B-LOC"]
    scores = [0.5, 0.75, 0.25, 0.5, 1.0, 0.5, 0.5, 0.125, 0.5]

    found = entities(example, tags, scores, "iob2", "first")

    assert found == [
        {"entity_group": "PER", "score": 0.5, "word": "Élise  O’Neill", "start": 1, "end": 15},
        {"entity_group": "EMO", "score": 1.0, "word": "😀", "start": 17, "end": 18},
        {"entity_group": "LOC", "score": 0.125, "word": "中", "start": 28, "end": 29},
        {"entity_group": "LOC", "score": 0.5, "word": "文", "start": 30, "end": 31},
    ]
    assert all(text[one["start"] : one["end"]] == one["word"] for one in found)
    assert entities(example, tags, scores, "iob2", "none")[1] == {
        "entity": "I-PER", "score": 0.25, "index": 3, "word": "O’Neill", "start": 8, "end": 15,
    }  # fmt: skip


def test_groups_know_the_ends_of_bioes() -> None:
    example = TaggedExample("1", *joined([*"abcd"]), None, "")
    tags = ["B-X", "E-X", "S-X", "S-X"]

    found = entities(example, tags, [1.0] * 4, "bioes", "simple")

    assert [(one["entity_group"], one["start"], one["end"]) for one in found] == [
        ("X", 0, 3), ("X", 4, 5), ("X", 6, 7),
    ]  # fmt: skip


def test_plain_tags_stand_by_themselves() -> None:
    example = TaggedExample("1", *joined(["the", "the", "x"]), None, "")

    found = entities(example, ["DET", "DET", "O"], [0.5, 0.25, 1.0], "plain", "simple")

    assert [(one["entity"], one["score"], one["index"], one["start"]) for one in found] == [
        ("DET", 0.5, 1, 0), ("DET", 0.25, 2, 4),
    ]  # fmt: skip


pieces = st.lists(st.integers(1, 4), max_size=6)


@settings(deadline=None, derandomize=True)
@given(pieces, st.integers(0, 2**32 - 1))
def test_each_word_is_judged_by_its_own_pieces(sizes: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(3), sum(sizes)).astype(np.float32).reshape(-1, 3)
    scores = np.log(probabilities.clip(1e-30))
    words = np.repeat(np.arange(len(sizes)), sizes)

    found = {
        name: by_word(scores, words, len(sizes), name)
        for name in ("none", "simple", "first", "average", "max")
    }

    for name, rows in found.items():
        assert rows.shape == (len(sizes), 3), name
    for i in range(len(sizes)):
        own = probabilities[words == i]
        surest = own[own.max(axis=1).argmax()]
        for name, expected in {"average": own.mean(axis=0), "max": surest}.items():
            assert np.exp(found[name][i]) == pytest.approx(expected, abs=1e-6)
        for name in ("none", "simple", "first"):
            assert np.exp(found[name][i]) == pytest.approx(own[0], abs=1e-6)


def test_a_mean_of_probabilities_that_vanish_has_a_logarithm() -> None:
    scores = np.array([[0.0, -500.0], [0.0, -900.0]], dtype=np.float32)

    found = by_word(scores, np.array([0, 0]), 1, "average")

    assert np.isfinite(found).all()
