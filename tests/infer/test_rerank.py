"""Cross-encoders give sentence-transformers' scores, of its folders and of ours."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder

import unmask
from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import RankedExample
from unmask.errors import DataError, UsageError
from unmask.infer.engine import Engine
from unmask.models.config import CONFIGS
from unmask.nn.init import initialise
from unmask.tasks.classification import Classification
from unmask.tasks.reranking import Reranking
from unmask.tasks.reranking_config import RerankingConfig
from unmask.text.config import TokenizerConfig
from unmask.text.learn import train
from unmask.text.tokenizer import Tokenizer

from .conftest import SENTENCES

POSITIONS = 40
PAIRS = [
    ("the cat", SENTENCES[0]),
    ("capital of Italy", SENTENCES[1]),
    ("", SENTENCES[2]),
    ("who is it?", "   "),
    ("the dog ran", " ".join(SENTENCES)),  # the document is cut
    (" ".join(SENTENCES), "the old man"),  # the query is
    (" ".join(SENTENCES), " ".join(SENTENCES[::-1])),  # both are
    ("a", "b"),
]
VOCABULARIES: dict[str, dict[str, Any]] = {
    "roberta": {"kind": "bpe", "vocab_size": 300},
    "xlm-roberta": {"kind": "bpe", "vocab_size": 300},
    "albert": {"kind": "unigram"},
    "mpnet": {"special_tokens": "mpnet"},
    "deberta": {"kind": "bpe", "vocab_size": 300},
    "deberta-v2": {"kind": "unigram"},
    "modernbert": {"kind": "bpe", "vocab_size": 300},
}
"""Such as each family came with."""
SIZES: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 8, "num_hidden_layers": 2},
    "electra": {"embedding_size": 8},
    **{
        name: {"max_position_embeddings": POSITIONS + 2}
        for name in ("mpnet", "roberta", "xlm-roberta")
    },
    "deberta-v2": {"position_buckets": 8},
    "modernbert": {"local_attention": 8, "initializer_range": 0.3},
}
FAMILIES = [name for name, kind in CONFIGS.items() if not kind().is_control]
Make = Callable[..., Path]


@cache
def vocabulary(family: str) -> Tokenizer:
    given = {"vocab_size": 120, **VOCABULARIES.get(family, {})}
    return train(SENTENCES * 3, TokenizerConfig.model_validate(given))


def bundle_of(family: str, task: Any) -> Bundle:
    """A tiny random model under the task's head."""
    tokenizer = vocabulary(family).with_max_length(POSITIONS)
    sizes = {
        "vocab_size": tokenizer.vocab_size,
        "pad_token_id": tokenizer.special.pad,
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": POSITIONS,
        "initializer_range": 0.3,
        **SIZES.get(family, {}),
    }
    config: Any = CONFIGS[family].model_validate(sizes)
    model = assemble(config, {task.head}, task.num_outputs)
    generator = torch.Generator().manual_seed(2)
    initialise(model, config.initializer_range, generator)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return Bundle(model.eval(), task, tokenizer, config, None)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A folder of ours."""

    def made(family: str = "bert", **task: Any) -> Path:
        folder = tmp_path / "ours"
        native.save(bundle_of(family, Reranking.foreign(**task)), folder)
        return folder

    return made


def theirs_of(folder: Path, **settings: Any) -> CrossEncoder:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CrossEncoder(str(folder), device="cpu", **settings)


def assert_alike(engine: Engine, theirs: CrossEncoder) -> None:
    found, expected = engine.predict(PAIRS), theirs.predict(PAIRS)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert np.ptp(expected) > 1e-2
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("activation", ["sigmoid", "identity"])
@pytest.mark.parametrize("family", FAMILIES)
def test_their_scores_are_ours_whoever_wrote_the_folder(
    family: str, activation: Any, make: Make, tmp_path: Path
) -> None:
    ours = make(family, activation=activation)
    theirs = theirs_of(ours)
    assert_alike(unmask.load(ours), theirs)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.save_pretrained(str(tmp_path / "theirs"))
    loaded = unmask.load(tmp_path / "theirs")
    assert isinstance(loaded.bundle.task, Reranking)
    assert loaded.bundle.task.activation == activation
    assert_alike(loaded, theirs)


def test_a_modernbert_over_the_mean_is_theirs_too(make: Make) -> None:
    folder = make("modernbert", pooling="mean")
    assert_alike(unmask.load(folder), theirs_of(folder))


def test_a_ranking_is_theirs(make: Make) -> None:
    folder = make()
    engine, theirs = unmask.load(folder), theirs_of(folder)
    documents = [*SENTENCES, "   ", SENTENCES[0]]
    for given in ({}, {"top_k": 3}, {"top_k": 99}, {"return_documents": True}):
        found = engine.rank("the old man", documents, **given)
        expected = theirs.rank("the old man", documents, **given)
        assert [one["corpus_id"] for one in found] == [one["corpus_id"] for one in expected]
        assert [one.get("text") for one in found] == [one.get("text") for one in expected]
        for one, other in zip(found, expected, strict=True):
            assert one["score"] == pytest.approx(other["score"], abs=1e-5)
    assert engine.rank("the old man", []) == theirs.rank("the old man", []) == []


def test_scores_are_shaped_as_theirs(make: Make) -> None:
    folder = make()
    engine, theirs = unmask.load(folder), theirs_of(folder)
    assert engine.predict([]).shape == theirs.predict([]).shape == (0,)
    one = engine.predict(PAIRS[0])
    assert one == pytest.approx(float(theirs.predict(PAIRS[0])), abs=1e-5)
    assert type(one) is type(theirs.predict(PAIRS[0])) is np.float32
    asked = {"query": PAIRS[0][0], "document": PAIRS[0][1]}
    assert engine.predict(asked) == one
    assert engine.predict([list(PAIRS[0])]).shape == (1,)


def test_pairs_by_name_are_pairs(make: Make) -> None:
    engine = unmask.load(make())
    expected = engine.predict(PAIRS[:2])
    named = [{"document": document, "query": query} for query, document in PAIRS[:2]]

    np.testing.assert_allclose(engine.predict(named), expected, rtol=0, atol=1e-6)
    of_one = engine.predict({"query": PAIRS[0][0], "documents": [d for _, d in PAIRS[:2]]})
    assert of_one.shape == (2,)
    assert of_one[0] == pytest.approx(expected[0], abs=1e-6)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"query": "a", "documnet": "b"}, r"input 1: has query, documnet; .*query and document"),
        ([{"qurey": "a", "document": "b"}], r"input 1: has qurey, document; .*query and document"),
        ({"query": "a"}, r"input 1: has query; this model answers about query and document"),
        ({"query": "a", "document": None}, r"input 1: document is None; expected a text"),
        ({"query": "a", "documents": "b"}, r"documents is 'b'; expected a list of texts"),
        (
            [("a", "b"), {"query": "a", "documents": ["b", "c"]}],
            r"input 2: has `documents`, expected one `document`",
        ),
        ([{"query": "a", "document": "b", "title": "c"}], r"input 1: has query, document, title"),
    ],
)
def test_parts_that_are_not_known_are_refused(asked: Any, message: str, make: Make) -> None:
    with pytest.raises(UsageError, match=message):
        unmask.load(make()).predict(asked)


def as_saved(folder: Path, **fields: Any) -> Path:
    """The folder with these fields of config.json, as if another tool had written it."""
    (folder / "unmask.json").unlink(missing_ok=True)
    file = folder / "config.json"
    given = json.loads(file.read_text())
    given.pop("sentence_transformers", None)
    given |= {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}, **fields}
    file.write_text(json.dumps(given))
    return folder


@pytest.mark.parametrize(
    ("fields", "activation"),
    [
        ({"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity",
                                    "version": "4.0.1"}}, "identity"),
        ({"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Tanh"}}, "tanh"),
        ({"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, "identity"),
        ({"sbert_ce_default_activation_function": "torch.nn.modules.activation.Sigmoid"},
         "sigmoid"),
    ],
)  # fmt: skip
def test_published_folders_say_what_they_are(
    fields: dict[str, Any], activation: str, make: Make
) -> None:
    folder = as_saved(make(), **fields)
    engine = unmask.load(folder)
    assert isinstance(engine.bundle.task, Reranking)
    assert engine.bundle.task.activation == activation
    assert_alike(engine, theirs_of(folder))


def test_an_activation_of_somebody_elses_code_is_told(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    folder = as_saved(make(), sentence_transformers={"activation_fn": "evil.module.Sigmoid"})
    with caplog.at_level(logging.WARNING):
        engine = unmask.load(folder)
    assert 'the scores\' activation is "evil.module.Sigmoid"' in caplog.text
    assert_alike(engine, theirs_of(folder))


def test_one_number_stays_a_regression_and_can_be_asked_to_rank(make: Make) -> None:
    """As BAAI's rerankers are, whose config.json says nothing."""
    folder = as_saved(make())
    engine, theirs = unmask.load(folder), theirs_of(folder)
    assert isinstance(engine.bundle.task, Classification)
    assert isinstance(engine.predict(PAIRS[:1])[0]["value"], float)
    found = engine.rank("the cat", SENTENCES)
    for one, other in zip(found, theirs.rank("the cat", SENTENCES), strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)


def test_modules_that_are_not_built_here_are_refused(make: Make, tmp_path: Path) -> None:
    theirs = theirs_of(make())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.save_pretrained(str(tmp_path / "theirs"))
    file = tmp_path / "theirs" / "modules.json"
    modules = json.loads(file.read_text())
    modules.append(
        {"idx": 1, "name": "1", "path": "1_Dense", "type": "sentence_transformers.Dense"}
    )
    file.write_text(json.dumps(modules))
    with pytest.raises(DataError, match=r"modules of this cross-encoder are .*Dense; expected"):
        unmask.load(tmp_path / "theirs")


def test_prompts_of_theirs_are_told(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = theirs_of(make())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.save_pretrained(str(tmp_path / "theirs"))
    file = tmp_path / "theirs" / "config_sentence_transformers.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps({**settings, "default_prompt_name": "query"}))
    with caplog.at_level(logging.WARNING):
        unmask.load(tmp_path / "theirs")
    assert 'sets the prompt "query" before its texts' in caplog.text


def test_long_documents_are_cut_with_a_warning_or_read_whole(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    engine = unmask.load(make())
    long = " ".join(SENTENCES * 4)
    with caplog.at_level(logging.WARNING):
        first = [engine.rank("the cat", [long, SENTENCES[0]]) for _ in range(2)]
    assert first[0] == first[1]
    told = [record.message for record in caplog.records if "documents" in record.message]
    assert told == [
        f"1 of 2 documents do not fit into {POSITIONS} tokens beside their query, and were cut; "
        "windows best reads them whole."
    ]
    best = {
        one["corpus_id"]: one["score"] for one in engine.rank("the cat", [long], windows="best")
    }
    cut = {one["corpus_id"]: one["score"] for one in first[0]}
    assert best[0] >= cut[0]
    both = engine.rank("the cat", [long, SENTENCES[0], ""], windows="best")
    scores = {one["corpus_id"]: one["score"] for one in both}
    assert scores[1] == pytest.approx(cut[1], abs=1e-6)  # what fits is read as before


def test_the_best_window_counts(make: Make) -> None:
    engine = unmask.load(make())
    reranker = engine.reranker("best")
    tokenizer = engine.bundle.require_tokenizer()
    words = " ".join(SENTENCES * 2).split()
    windows = reranker.task.encode(
        [RankedExample("1", "the cat", (" ".join(words), "the dog"), None, "x:1")],
        tokenizer,
        POSITIONS,
    )[0]
    assert len(windows) > 3
    scores = reranker.logits("the cat", [" ".join(words), "the dog"])
    alone = []
    for window in windows:
        document = tokenizer.decode(window.input_ids[window.num_first : -1].tolist())
        alone.append(engine.reranker().logits("the cat", [document])[0])
    np.testing.assert_allclose(scores, [max(alone[:-1]), alone[-1]], atol=1e-5)


def test_company_changes_no_score(make: Make) -> None:
    reranker = unmask.load(make()).reranker()
    texts = [f"{SENTENCES[i % 4]} {'the cat ' * (i % 7)}" for i in range(600)]
    together = reranker.rank("the old man", texts)
    assert (together.shape, together.dtype) == ((600,), np.float32)
    alone = np.concatenate([reranker.rank("the old man", [text]) for text in texts[:20]])
    np.testing.assert_allclose(together[:20], alone, rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        reranker.predict([("the old man", text) for text in texts]), together, rtol=0, atol=1e-5
    )


def test_what_cannot_be_ranked_is_told(make: Make, folder: Path) -> None:
    engine = unmask.load(make())
    with pytest.raises(DataError, match="document 2 is of type int; expected a text"):
        engine.rank("the cat", ["a", 2])  # type: ignore[list-item]
    with pytest.raises(DataError, match="the query is of type NoneType"):
        engine.rank(None, ["a"])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="the documents are one text; expected a list"):
        engine.rank("the cat", "a")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="input 1: is 'the cat'; expected a query and a document"):
        engine.predict("the cat")
    with pytest.raises(UsageError, match=r"input 2: is .*; expected a query and a document"):
        engine.predict([("a", "b"), ("a", "b", "c")])
    with pytest.raises(UsageError, match="windows: 'all' is not there"):
        engine.rank("a", ["b"], windows="all")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="candidates: are for filling blanks"):
        engine.predict([("a", "b")], candidates="c")
    with pytest.raises(UsageError, match="has the task `masked_lm`; ranking needs a cross-encoder"):
        unmask.load(folder).rank("a", ["b"])


def test_what_is_trained_to_read_less_is_read_so_elsewhere(tmp_path: Path) -> None:
    task = Reranking(RerankingConfig(loss="binary-cross-entropy", max_length=16))
    bundle = bundle_of("bert", task)
    short = replace(bundle, tokenizer=bundle.require_tokenizer().with_max_length(16))
    native.save(short, tmp_path / "ours")
    assert_alike(unmask.load(tmp_path / "ours"), theirs_of(tmp_path / "ours"))
