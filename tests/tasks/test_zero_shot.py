from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import transformers

from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.huggingface.folder import load_folder
from unmask.errors import UsageError
from unmask.tasks.classification import Classification
from unmask.tasks.zero_shot import zero_shot
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece

TEXTS = ["The king won the war.", "Goals fell late in the second half; the crowd sang.", "Rain."]
LABELS = ["politics", "sport", "the weather"]
TEMPLATES = ["This example is {}.", "The topic is {0}, is it?"]


class Judges(NamedTuple):
    """The same model as transformers' pipeline and as ours."""

    pipeline: Any
    bundle: Bundle
    tokenizer: Tokenizer


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Judges]:
    """A tiny random model with these labels."""

    def build(*labels: str) -> Judges:
        tokenizer = train_wordpiece(
            [*TEXTS, *LABELS, *TEMPLATES] * 3, TokenizerConfig(vocab_size=120)
        )
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
        model = transformers.BertForSequenceClassification(config).eval()
        model.save_pretrained(tmp_path)
        tokenizer.with_max_length(64).save(tmp_path)
        theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
        pipeline = transformers.pipeline(
            "zero-shot-classification", model=model, tokenizer=theirs, device="cpu"
        )
        return Judges(pipeline, load_folder(tmp_path), tokenizer)

    return build


def ours(judges: Judges, texts: list[str], labels: list[str], **settings: Any) -> list[Any]:
    task = judges.bundle.task
    assert isinstance(task, Classification)
    settings = {"hypothesis_template": TEMPLATES[0], **settings}
    return list(
        zero_shot(
            judges.bundle.model, task, judges.tokenizer, texts, labels, longest=64, **settings
        )
    )


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("multi_label", [False, True], ids=["one of them", "any of them"])
@pytest.mark.parametrize("labels", [LABELS, LABELS[:1]], ids=["three", "one"])
@pytest.mark.parametrize(
    "names",
    [
        ("contradiction", "neutral", "entailment"),
        ("ENTAILMENT", "NEUTRAL", "CONTRADICTION"),
        ("not_entailment", "entailment"),
        ("entailment", "not_entailment"),
    ],
    ids="/".join,
)
def test_the_numbers_are_transformers(
    names: tuple[str, ...],
    labels: list[str],
    multi_label: bool,
    template: str,
    make: Callable[..., Judges],
) -> None:
    judges = make(*names)
    settings = {"hypothesis_template": template, "multi_label": multi_label}

    found = ours(judges, TEXTS, labels, **settings)

    expected = judges.pipeline(TEXTS, labels, **settings)
    assert len(found) == len(expected) == len(TEXTS)
    for answer, theirs in zip(found, expected, strict=True):
        assert list(answer) == list(theirs) == ["sequence", "labels", "scores"]
        assert (answer["sequence"], answer["labels"]) == (theirs["sequence"], theirs["labels"])
        assert answer["scores"] == pytest.approx(theirs["scores"], abs=1e-5)
    every = [score for answer in found for score in answer["scores"]]
    assert len(labels) == 1 or max(every) - min(every) > 1e-3


def test_contradiction_is_known_by_its_name(make: Callable[..., Judges]) -> None:
    judges = make("neutral", "contradiction", "entailment")  # transformers takes the first
    (found,) = ours(judges, TEXTS[:1], LABELS[:1])

    inputs = judges.pipeline.tokenizer(TEXTS[0], "This example is politics.", return_tensors="pt")
    with torch.no_grad():
        logits = judges.pipeline.model(**inputs).logits[0]
    assert found["scores"] == pytest.approx([logits[1:].softmax(0)[1].item()], abs=1e-5)


def test_the_name_of_entailment_can_be_given(make: Callable[..., Judges]) -> None:
    judges = make("no", "maybe", "yes")
    with pytest.raises(UsageError, match="no label 'entailment', only 'no', 'maybe', 'yes'"):
        ours(judges, TEXTS, LABELS)
    found = ours(judges, TEXTS, LABELS, entailment="YES")
    named = ours(make("contradiction", "neutral", "entailment"), TEXTS, LABELS)
    assert found == named


def test_a_text_longer_than_the_model_is_windowed(make: Callable[..., Judges]) -> None:
    judges = make("contradiction", "neutral", "entailment")
    (found,) = ours(judges, [" ".join(TEXTS * 20)], LABELS)
    assert sum(found["scores"]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("labels", "settings", "message"),
    [
        ([], {}, "candidate_labels: "),
        (["sport", " "], {}, "candidate_labels: "),
        ("sport", {}, "candidate_labels: 'sport'; expected a list"),
        (["sport", "rain", "sport"], {}, "candidate_labels: 'sport' stands there more than once"),
        (LABELS, {"hypothesis_template": "About this."}, "has no place for the label"),
        (LABELS, {"hypothesis_template": "{label} {"}, "has no place for the label"),
        (LABELS, {"hypothesis_template": "About {{}}."}, "has no place for the label"),
        (LABELS, {"hypothesis_template": "About {0.name}."}, "has no place for the label"),
        (LABELS, {"hypothesis_template": "About {0[name]}."}, "has no place for the label"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(
    labels: Any, settings: dict[str, Any], message: str, make: Callable[..., Judges]
) -> None:
    judges = make("contradiction", "entailment")
    assert isinstance(judges.bundle.task, Classification)
    with pytest.raises(UsageError, match=message):
        zero_shot(
            judges.bundle.model,
            judges.bundle.task,
            judges.tokenizer,
            TEXTS,
            labels,
            longest=64,
            **{"hypothesis_template": TEMPLATES[0], **settings},
        )


def test_a_model_of_several_labels_judges_no_inference(make: Callable[..., Judges]) -> None:
    judges = make("contradiction", "entailment")
    several = Classification.foreign(("a", "entailment"), "multi_label_classification")
    with pytest.raises(UsageError, match="one label of several"):
        zero_shot(
            judges.bundle.model,
            several,
            judges.tokenizer,
            TEXTS,
            LABELS,
            longest=64,
            hypothesis_template=TEMPLATES[0],
        )
