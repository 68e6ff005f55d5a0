from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from unmask.errors import UsageError
from unmask.infer.config import ZeroShotConfig
from unmask.infer.engine import Engine, load
from unmask.infer.zero_shot import zero_shot
from unmask.text.tokenizer import Tokenizer

TEXTS = ["the cat sat on the mat.", "Paris is the capital of France;", "who is it?"]
LABELS = ["a cat", "Rome", "running"]
NLI = ("contradiction", "neutral", "entailment")


@pytest.fixture
def make_judge(tokenizer: Tokenizer, tmp_path: Path) -> Callable[..., Engine]:
    """A tiny random classifier of pairs with these labels, as transformers writes it."""

    def make(*labels: str) -> Engine:
        config = transformers.BertConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
            initializer_range=0.5,
            id2label=dict(enumerate(labels)),
            label2id={name: i for i, name in enumerate(labels)},
        )
        torch.manual_seed(1)
        transformers.BertForSequenceClassification(config).save_pretrained(tmp_path)
        tokenizer.with_max_length(64).save(tmp_path)
        return load(tmp_path)

    return make


@pytest.mark.parametrize("template", ["This example is {}.", "it is ({}), the reader walked."])
@pytest.mark.parametrize("multi_label", [False, True], ids=["one of them", "any of them"])
def test_the_engine_gives_the_numbers_of_transformers(
    multi_label: bool, template: str, make_judge: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = make_judge(*NLI)
    pipeline: Any = transformers.pipeline("zero-shot-classification", str(tmp_path), device="cpu")

    found = engine.zero_shot(TEXTS, LABELS, hypothesis_template=template, multi_label=multi_label)

    expected = pipeline(TEXTS, LABELS, hypothesis_template=template, multi_label=multi_label)
    assert len(found) == len(expected) == len(TEXTS)
    for answer, theirs in zip(found, expected, strict=True):
        assert (answer["sequence"], answer["labels"]) == (theirs["sequence"], theirs["labels"])
        assert answer["scores"] == pytest.approx(theirs["scores"], abs=1e-5)
    sums = [sum(answer["scores"]) for answer in found]
    assert sums != pytest.approx([1.0] * 3) if multi_label else sums == pytest.approx([1.0] * 3)
    every = [score for answer in found for score in answer["scores"]]
    assert max(every) - min(every) > 0.01


def test_one_text_gives_one_answer(make_judge: Callable[..., Engine]) -> None:
    engine = make_judge(*NLI)

    (listed,) = engine.zero_shot(TEXTS[:1], LABELS)
    assert engine.zero_shot(TEXTS[0], tuple(LABELS)) == listed


def test_labels_in_one_string_have_commas_between_them(make_judge: Callable[..., Engine]) -> None:
    engine = make_judge(*NLI)

    assert engine.zero_shot(TEXTS, "a cat, Rome,running") == engine.zero_shot(TEXTS, LABELS)


def test_one_label_can_be_judged_by_itself(make_judge: Callable[..., Engine]) -> None:
    found = make_judge(*NLI).zero_shot(TEXTS[0], "a cat", multi_label=True)

    assert found["labels"] == ["a cat"]
    assert 0.0 < found["scores"][0] < 1.0


def test_the_label_of_entailment_can_be_named(make_judge: Callable[..., Engine]) -> None:
    expected = make_judge(*NLI).zero_shot(TEXTS, LABELS)
    engine = make_judge("LABEL_0", "LABEL_1", "LABEL_2")

    with pytest.raises(UsageError, match="no label 'entailment', only 'LABEL_0', 'LABEL_1'"):
        engine.zero_shot(TEXTS, LABELS)
    assert engine.zero_shot(TEXTS, LABELS, entailment="LABEL_2") == expected


@pytest.mark.parametrize(
    ("labels", "settings", "message"),
    [
        (["cat"], {}, "candidate_labels: only 'cat'; expected at least two"),
        ("cat", {}, "candidate_labels: only 'cat'; expected at least two"),
        ([], {}, "expected a list of at least one label"),
        (["cat", "dog", "cat"], {}, "'cat' stands there more than once"),
        (LABELS, {"hypothesis_template": "it is so."}, "has no place for the label"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    labels: Any, settings: dict[str, Any], message: str, make_judge: Callable[..., Engine]
) -> None:
    with pytest.raises(UsageError, match=message):
        make_judge(*NLI).zero_shot(TEXTS, labels, **settings)


def test_a_model_that_classifies_nothing_is_refused_before_any_text_is_read(
    engine: Engine,
) -> None:
    def texts() -> Iterator[str]:
        raise AssertionError
        yield ""

    with pytest.raises(UsageError, match="needs a classifier of pairs of texts"):
        zero_shot(engine.bundle, texts(), LABELS, ZeroShotConfig())


def test_a_number_judges_no_inference(make_judge: Callable[..., Engine]) -> None:
    with pytest.raises(UsageError, match="of the kind 'regression'"):
        make_judge("entailment").zero_shot(TEXTS, LABELS)


def test_defaults_come_from_the_config_alone() -> None:
    signature = inspect.signature(Engine.zero_shot).parameters
    for name, field in ZeroShotConfig.model_fields.items():
        assert signature[name].default == field.default
