"""Which prompt stands before which text, in training as in sentence-transformers' evaluators."""

from __future__ import annotations

from typing import Any

import pytest

from unmask.data.labelled.examples import EmbeddingExample
from unmask.tasks.embedding import Embedding
from unmask.tasks.embedding_config import EmbeddingConfig
from unmask.tasks.embedding_prompts import prompts_of
from unmask.tasks.sentence_config import SentenceConfig
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece

PROMPTS = {"query": "ask ", "document": "tell ", "usual": "say "}
KNOWN = SentenceConfig(prompts=PROMPTS)
WITH_USUAL = SentenceConfig(prompts=PROMPTS, default_prompt_name="usual")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    words = "ask tell say the cat dog fox now"
    return train_wordpiece([words] * 4, TokenizerConfig(vocab_size=60, min_frequency=1))


def example(num_texts: int, label: Any) -> EmbeddingExample:
    return EmbeddingExample("1", ("the cat", "the dog", "the fox")[:num_texts], label, "x:1")


@pytest.mark.parametrize(
    ("num_texts", "label", "is_asked"),
    [
        (2, None, True),
        (3, None, True),
        (3, 1.5, True),  # how much better the positive is
        (3, (4.0, 1.0), True),  # a cross-encoder's scores of both answers
        (2, (4.0,), True),
        (2, 0.5, False),
        (2, 0.0, False),
        (2, "entailment", False),
        (1, None, False),
        (1, "a class", False),
        (1, (0.1, 0.2, 0.3), False),  # a teacher's vector
        (2, (0.1, 0.2, 0.3), False),
    ],
)
def test_only_what_is_asked_and_found_gets_prompts_of_its_own(
    num_texts: int, label: Any, is_asked: bool
) -> None:
    one, others = example(num_texts, label), ["tell "] * (num_texts - 1)

    assert prompts_of(KNOWN, one) == (["ask ", *others] if is_asked else [""] * num_texts)
    assert prompts_of(WITH_USUAL, one) == (["ask ", *others] if is_asked else ["say "] * num_texts)
    assert prompts_of(KNOWN, one, has_sides=True) == ["ask ", *others]
    assert prompts_of(SentenceConfig(), one) == [""] * num_texts


@pytest.mark.parametrize(
    ("before", "settings", "expected"),
    [
        (KNOWN, {}, ("", "")),
        (WITH_USUAL, {}, ("say ", "say ")),
        (None, {"prompts": {"query": "now "}}, ("now ", "")),
        (WITH_USUAL, {"prompts": {"query": "now "}}, ("now ", "tell ")),
        (WITH_USUAL, {"prompts": {"usual": "now "}}, ("now ", "now ")),
    ],
)
def test_training_reads_scored_pairs_as_evaluation_unless_the_run_sets_prompts(
    before: SentenceConfig | None,
    settings: dict[str, Any],
    expected: tuple[str, str],
    tokenizer: Tokenizer,
) -> None:
    some = [example(2, "0.5"), example(2, "0.75")]
    task = Embedding.begin(EmbeddingConfig.model_validate(settings), some).standing_on(before, 8)

    (windows, _) = task.encode(some, tokenizer, 32)

    found = [window.input_ids.tolist() for window in windows]
    wanted = [f"{prompt}{text}" for prompt, text in zip(expected, some[0].texts, strict=True)]
    assert found == [tokenizer.layout.single(tokenizer.encode(text)).tolist() for text in wanted]
