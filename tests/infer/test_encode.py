"""Vectors of texts, as sentence-transformers gives them."""

from __future__ import annotations

import inspect
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentence_transformers as st
import torch

import unmask
from unmask.errors import DataError, UsageError
from unmask.infer.embedder import Embedder
from unmask.infer.engine import Engine, load
from unmask.infer.sentence_engine import EncodeArguments, SentenceEngine

from .conftest import SENTENCES

TEXTS = [*SENTENCES, "", "   ", "the", "the cat " * 60, "Ünïcode — 中文 \x00"]


@pytest.fixture(scope="session")
def engine(folder: Path) -> Engine:
    return load(folder)


@pytest.fixture(scope="session")
def theirs(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return st.SentenceTransformer(str(folder), device="cpu")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"normalize_embeddings": True},
        {"truncate_dim": 7},
        {"prompt": "the cat "},
        {"precision": "binary"},
        {"precision": "ubinary"},
        {"batch_size": 1},
    ],
    ids=str,
)
def test_vectors_are_theirs(engine: Engine, theirs: Any, given: dict[str, Any]) -> None:
    found, expected = engine.encode(TEXTS, **given), theirs.encode(TEXTS, **given)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", ["int8", "uint8"])
def test_levels_are_theirs_but_for_rounding(engine: Engine, theirs: Any, precision: Any) -> None:
    found, expected = (one.encode(TEXTS, precision=precision) for one in (engine, theirs))
    assert found.dtype == expected.dtype
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1


def test_one_text_gives_one_vector(engine: Engine, theirs: Any) -> None:
    assert engine.encode("the cat").shape == theirs.encode("the cat").shape == (24,)
    assert engine.encode([]).shape == (0, 24)
    tensor = engine.encode(["the cat"], convert_to_tensor=True)
    assert isinstance(tensor, torch.Tensor)
    assert tensor.shape == (1, 24)


def test_tokens_have_vectors_too(engine: Engine, theirs: Any) -> None:
    for found, expected in zip(
        engine.encode(SENTENCES, output_value="token_embeddings"),
        theirs.encode(SENTENCES, output_value="token_embeddings"),
        strict=True,
    ):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_neither_order_nor_company_changes_a_vector(engine: Engine) -> None:
    together = engine.encode(TEXTS * 3)
    alone = np.stack([engine.encode(text) for text in TEXTS])
    np.testing.assert_allclose(together, np.tile(alone, (3, 1)), rtol=0, atol=1e-5)
    turned = engine.encode(TEXTS[::-1])[::-1]
    np.testing.assert_allclose(turned, together[: len(TEXTS)], rtol=0, atol=1e-5)


def test_similarities_are_theirs(engine: Engine, theirs: Any) -> None:
    a, b = engine.encode(TEXTS[:3]), engine.encode(TEXTS[2:7])
    torch.testing.assert_close(engine.similarity(a, b), theirs.similarity(a, b))
    torch.testing.assert_close(
        engine.similarity_pairwise(a, b[:3]), theirs.similarity_pairwise(a, b[:3])
    )


def test_long_texts_are_cut_and_told(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    engine.encode(["the cat " * 500_000, "the cat"])
    assert "1 of 2 texts are longer than the 40 tokens" in caplog.text


@pytest.mark.parametrize(
    ("pooling", "words"),
    [(None, "not trained to make vectors of sentences"), ("cls", r"raw \[CLS\] vectors")],
)
def test_raw_vectors_are_warned_of(
    folder: Path, pooling: str | None, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    load(folder).encode("the cat", pooling=pooling)
    assert re.search(words, caplog.text)


def test_wrong_input_is_told(engine: Engine) -> None:
    with pytest.raises(DataError, match="text 2: is int, not text"):
        engine.encode(["a", 3])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="prompt_name: 'query' is none of the model's prompts"):
        engine.encode("a", prompt_name="query")
    with pytest.raises(UsageError, match="precision: 'int4' is not there"):
        engine.encode("a", precision="int4")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="need the range of each dimension"):
        engine.encode("a", precision="int8")
    with pytest.raises(UsageError, match="batch_size: 0"):
        engine.encode("a", batch_size=0)
    with pytest.raises(UsageError, match="pooling: 'median' is not there"):
        engine.encode("a", pooling="median")


def test_prompts_of_queries_and_documents_leave_each_their_room(engine: Engine) -> None:
    encoder = engine.embedder().encoder
    prompts = {"query": "the cat ", "document": "the cat sat the cat "}
    embedder = Embedder(replace(encoder, config=encoder.config.model_copy(
        update={"prompts": prompts})))  # fmt: skip

    assert (embedder.max_query_length, embedder.max_length) == (36, 33)
    for most, encode in (
        (embedder.max_query_length, embedder.encode_query),
        (embedder.max_length, embedder.encode_document),
    ):
        whole, longer, shorter = encode(["the " * most, "the " * (most + 1), "the " * (most - 1)])
        assert longer == pytest.approx(whole, abs=1e-6)
        assert shorter != pytest.approx(whole, abs=1e-6)


def test_an_embedder_is_known_by_its_hash(folder: Path, engine: Engine) -> None:
    embedder = engine.embedder()
    assert embedder.sha256 == unmask.load(folder).embedder().sha256
    assert embedder.dimension == 24
    assert embedder.max_length == 38
    spans = embedder.spans("the cat sat")
    assert ["the cat sat"[a:b] for a, b in spans] == ["the", "cat", "sat"]
    other = load(folder)
    with torch.no_grad():
        next(other.bundle.model.encoder.parameters()).add_(1e-3)
    assert other.embedder().sha256 != embedder.sha256


def test_what_is_passed_on_is_what_encode_takes() -> None:
    taken = list(inspect.signature(SentenceEngine.encode).parameters)
    assert taken[2:] == list(EncodeArguments.__annotations__)


def test_the_arguments_are_theirs_in_their_places() -> None:
    ours, theirs = (
        inspect.signature(kind.encode).parameters
        for kind in (SentenceEngine, st.SentenceTransformer)
    )
    positional = [name for name, one in ours.items() if one.kind is one.POSITIONAL_OR_KEYWORD]
    assert positional == list(theirs)[: len(positional)]
    assert set(ours) - set(theirs) == {"pooling"}
    assert set(theirs) - set(ours) == {"device", "pool", "chunk_size", "kwargs"}


def test_another_pooling_once_changes_nothing_afterwards(folder: Path) -> None:
    engine = load(folder)
    before, embedder = engine.encode(SENTENCES), engine.embedder()
    assert not np.allclose(engine.encode(SENTENCES, pooling="cls"), before, atol=1e-3)
    np.testing.assert_array_equal(engine.encode(SENTENCES), before)
    np.testing.assert_array_equal(embedder.encode_document(SENTENCES), before)
    assert engine.embedder().sha256 == embedder.sha256


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"output_value": None}, "output_value: None is not there; expected one of"),
        ({"output_value": "sentences"}, "output_value: 'sentences' is not there"),
        ({"truncate_dim": 0}, "truncate_dim: 0; expected 1 or more"),
        ({"truncate_dim": -1}, "truncate_dim: -1"),
        ({"output_value": "token_embeddings", "precision": "int8"}, "leave out precision"),
    ],
)
def test_what_encode_cannot_give_is_told(
    engine: Engine, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        engine.encode(SENTENCES, **given)
