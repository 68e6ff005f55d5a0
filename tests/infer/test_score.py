from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertForMaskedLM

from unmask.errors import DataError, UsageError
from unmask.infer import batcher
from unmask.infer.engine import Engine, load
from unmask.text.tokenizer import Tokenizer

TEXTS = [
    "The cat sat on the mat.",
    "cat",
    "a zebra ☃ [MASK]",
    "Paris is the capital of France; Rome walked slowly.",
]
TOLERANCE = 1e-5


def plain_loop(model: BertForMaskedLM, tokenizer: Tokenizer, text: str) -> list[float]:
    """One masked copy, one forward pass, one log-probability at a time."""
    special = tokenizer.special
    assert special.mask is not None
    ids = torch.tensor([[special.cls, *tokenizer.encode(text), special.sep]])
    found = []
    for position in range(1, ids.shape[1] - 1):
        masked = ids.clone()
        masked[0, position] = special.mask
        with torch.no_grad():
            logits = model(masked).logits[0, position]
        found.append(logits.log_softmax(dim=-1)[ids[0, position]].item())
    return found


def test_log_probabilities_equal_a_plain_loop_over_transformers(
    engine: Engine, theirs: BertForMaskedLM, tokenizer: Tokenizer
) -> None:
    for text, score in zip(TEXTS, engine.score(TEXTS), strict=True):
        expected = plain_loop(theirs, tokenizer, text)
        assert score.text == text
        assert score.log_probabilities == pytest.approx(expected, abs=TOLERANCE, rel=TOLERANCE)
        assert score.pseudo_log_likelihood == pytest.approx(sum(expected), rel=TOLERANCE)
        assert score.pseudo_perplexity == pytest.approx(
            math.exp(-sum(expected) / len(expected)), rel=1e-4
        )  # the exponential magnifies
        assert score.tokens == [tokenizer.id_to_token(i) for i in tokenizer.encode(text)]


def test_the_score_is_the_sum_of_what_each_token_gets_as_a_candidate(
    engine: Engine,
) -> None:
    words = ["the", "cat", "sat"]
    by_hand = 0.0
    for i, word in enumerate(words):
        (prediction,) = engine.predict(
            " ".join([*words[:i], "[MASK]", *words[i + 1 :]]), candidates=word
        )
        by_hand += math.log(prediction["score"])
    assert engine.score("the cat sat").pseudo_log_likelihood == pytest.approx(by_hand, abs=1e-5)


@settings(max_examples=10, deadline=None)
@given(
    texts=st.lists(
        st.lists(st.sampled_from(["cat", "the", "runners", "zebra", ",", "☃"]), min_size=1).map(
            lambda words: " ".join(words[:8])
        ),
        min_size=2,
        max_size=4,
    ),
    tokens=st.integers(1, 200),
)
def test_batching_changes_no_log_probability_by_more_than_1e_5(
    engine: Engine, texts: list[str], tokens: int
) -> None:
    alone = [engine.score(text) for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batcher, "BATCH_TOKENS", tokens)
        together = engine.score(texts)
    for one, other in zip(alone, together, strict=True):
        assert other.log_probabilities == pytest.approx(
            one.log_probabilities, abs=TOLERANCE, rel=TOLERANCE
        )


def test_only_the_masked_row_of_each_copy_reaches_the_head(engine: Engine) -> None:
    seen: list[int] = []
    head = engine.bundle.model.heads["mlm"]
    hook = head.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[0]))
    try:
        tokens = engine.score("The cat sat on the mat.").tokens
    finally:
        hook.remove()
    assert seen == [len(tokens)]


def test_a_mask_token_in_the_text_is_text_and_warned_of(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.score("the cat sat")
    assert caplog.messages == []
    assert "[MASK]" not in engine.score("the [MASK] sat").tokens
    assert "text 1 'the [MASK] sat': the [MASK] in it is scored as text" in caplog.text


def test_one_text_gives_one_score_and_a_list_a_list(engine: Engine) -> None:
    one = engine.score("the cat")
    assert engine.score(["the cat"]) == [one]
    assert engine.score([]) == []
    assert json.loads(json.dumps(asdict(one)))["text"] == "the cat"


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_text_is_refused(engine: Engine, text: str) -> None:
    with pytest.raises(UsageError, match=r"text 2 .* nothing to score"):
        engine.score(["cat", text])


def test_a_text_longer_than_the_model_is_refused_with_both_numbers(engine: Engine) -> None:
    limit = engine.bundle.config.max_position_embeddings
    assert len(engine.score("cat " * (limit - 2)).tokens) == limit - 2
    with pytest.raises(DataError, match=rf"has {limit + 5} tokens .* at most {limit}\b"):
        engine.score("cat " * (limit + 3))


def test_the_real_bert_tiny_finds_grammar_more_natural_than_shuffled_words(
    bert_tiny: Path,
) -> None:
    engine = load(bert_tiny)
    theirs = BertForMaskedLM.from_pretrained(bert_tiny).eval()
    tokenizer = engine.bundle.tokenizer
    assert tokenizer is not None
    plain, shuffled = engine.score(["She was in the house.", "In she house the was."])
    expected = plain_loop(theirs, tokenizer, plain.text)
    assert plain.log_probabilities == pytest.approx(expected, abs=TOLERANCE, rel=TOLERANCE)
    assert plain.pseudo_log_likelihood > shuffled.pseudo_log_likelihood
