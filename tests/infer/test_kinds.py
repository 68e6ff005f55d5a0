"""Filling and scoring by models whose tokenizers are not BERT's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import pipeline

import unmask
from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble, task_of
from unmask.checkpoint.bundle import Bundle
from unmask.errors import UsageError
from unmask.models.config import RobertaConfig
from unmask.nn.init import initialise
from unmask.text.config import TokenizerConfig
from unmask.text.learn import train

TEXTS = ["Paris is the capital of France, and the cat sat.", "The cat is in the capital."]


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    size = 290 if request.param == "bpe" else 50
    tokenizer = train(TEXTS * 5, TokenizerConfig(kind=request.param, vocab_size=size))
    config = RobertaConfig(
        vocab_size=tokenizer.vocab_size, pad_token_id=tokenizer.special.pad, hidden_size=8,
        num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=40,
    )  # fmt: skip
    model = assemble(config, ("mlm",))
    initialise(model, 0.5, torch.Generator().manual_seed(1))
    path = tmp_path_factory.mktemp("kinds") / "model"
    native.save(Bundle(model.eval(), task_of(("mlm",)), tokenizer, config, None), path)
    return path


def test_blanks_are_filled_as_by_transformers(folder: Path) -> None:
    engine, theirs = unmask.load(folder), pipeline("fill-mask", model=str(folder))
    mask = engine.bundle.require_tokenizer().mask_token
    for text in (f"Paris is the {mask} of France.", f"{mask} sat, and {mask} cat"):
        ours, expected = engine.predict(text, top_k=4), theirs(text, top_k=4)
        flat = [ours] if text.count(mask) == 1 else ours
        nested = [expected] if text.count(mask) == 1 else expected
        for found, reference in zip(flat, nested, strict=True):
            for a, b in zip(found, reference, strict=True):
                assert a["score"] == pytest.approx(b["score"], abs=1e-5)
                assert (a["token"], a["token_str"], a["sequence"]) == (
                    b["token"], b["token_str"], b["sequence"],
                )  # fmt: skip


def test_a_candidate_is_a_word_and_not_the_end_of_one(folder: Path) -> None:
    engine = unmask.load(folder)
    tokenizer = engine.bundle.require_tokenizer()
    text = f"Paris is the {tokenizer.mask_token} of France."
    (found,) = engine.predict(text, candidates=["the"])
    assert tokenizer.id_to_token(found["token"]) in ("Ġthe", "▁the")
    end = next(
        token
        for token, i in tokenizer.vocabulary().items()
        if tokenizer.is_continuation[i] and token.isalpha() and token.isascii()
        and len(tokenizer.encode_words([token])[0]) > 1
    )  # fmt: skip
    with pytest.raises(UsageError, match="tokens"):
        engine.predict(text, candidates=[end])


def test_a_score_has_one_summand_a_token(folder: Path) -> None:
    engine = unmask.load(folder)
    tokenizer = engine.bundle.require_tokenizer()
    (score,) = engine.score(["The cat sat."])
    assert score.tokens == [tokenizer.id_to_token(i) for i in tokenizer.encode("The cat sat.")]
    assert len(score.log_probabilities) == len(score.tokens)
