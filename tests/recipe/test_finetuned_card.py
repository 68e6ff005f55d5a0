from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.examples import (
    Answer,
    ChoiceExample,
    QuestionExample,
    RankedExample,
    TaggedExample,
    TextExample,
)
from unmask.models.config import BertConfig, DebertaConfig, EncoderConfig, ModernBertConfig
from unmask.recipe import pictures
from unmask.recipe.config import Finetune
from unmask.recipe.finetuned_card import card
from unmask.recipe.outcome import Outcome
from unmask.tasks.registry import TASKS
from unmask.tasks.task import Model

BERT = BertConfig()
VALIDATION = {"accuracy": 0.875, "log_loss": 0.31, "f1/no": 0.8, "support/no": 9.0}
TEST = {"accuracy": 0.8125, "log_loss": 0.42, "f1/no": 0.7, "support/no": 8.0}
EXAMPLES: dict[str, list[Any]] = {
    "classification": [
        TextExample("0", "x", None, "no", None, "t:1"),
        TextExample("1", "x", None, "yes", None, "t:2"),
    ],
    "multiple-choice": [ChoiceExample("0", "x", ("a", "b"), 0, "t:1")],
    "tagging": [TaggedExample("0", "a b", ((0, 1), (2, 3)), ("B-PER", "O"), "t:1")],
    "reranking": [RankedExample("0", "who?", ("it", "he"), (1.0, 0.0), "t:1")],
    "qa": [QuestionExample("0", "who?", "it was", (Answer("it", 0),), False, None, "t:1")],
}


@pytest.fixture
def written(make_model: Callable[..., Model]) -> Callable[..., str]:
    def make(
        task: str = "classification",
        *,
        examples: list[Any] | None = None,
        outcome: dict[str, Any] | None = None,
        drawn: tuple[str, ...] = (),
        base_model: str = "runs/mini",
        tuned: Callable[[Any], Any] = lambda task: task,
        config: EncoderConfig = BERT,
        **fields: Any,
    ) -> str:
        recipe = Finetune.model_validate({"task": task, "train": {"steps": 70}, **fields})
        learned = TASKS[task].begin(recipe.settings, examples or EXAMPLES[task])
        bundle = Bundle(make_model(), tuned(learned), None, config, None)
        figures = {"metric": "accuracy", "validation": VALIDATION, **(outcome or {})}
        sizes = {"train": 1200, "validation": 130}
        paths = [Path("run", name) for name in drawn]
        return card(
            recipe, bundle, Outcome(folder=Path("run"), **figures), paths, base_model, sizes
        )

    return make


def front_matter(text: str) -> list[str]:
    first, *lines = text.splitlines()
    assert first == "---"
    return lines[: lines.index("---")]


def row(text: str, name: str) -> list[str]:
    """The cells of a row of the table."""
    found = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    assert len(found) == 1
    return [cell.strip() for cell in found[0].strip("|").split("|")]


@pytest.mark.parametrize(
    ("task", "tag", "loaded"),
    [
        ("classification", "text-classification", "AutoModelForSequenceClassification"),
        ("multiple-choice", "multiple-choice", "AutoModelForMultipleChoice"),
        ("tagging", "token-classification", "AutoModelForTokenClassification"),
        ("qa", "question-answering", "AutoModelForQuestionAnswering"),
    ],
)
def test_hubs_and_people_are_told_what_it_is_and_how_to_load_it(
    task: str, tag: str, loaded: str, written: Callable[..., str]
) -> None:
    text = written(task)

    assert f"pipeline_tag: {tag}" in front_matter(text)
    assert "library_name: transformers" in front_matter(text)
    assert f"from transformers import {loaded}, AutoTokenizer" in text
    assert "unmask predict path/to/this/folder" in text
    assert "`runs/mini`" in text


def test_what_transformers_has_no_class_for_is_not_said_to_open_there(
    written: Callable[..., str],
) -> None:
    text = written(settings={"pooling": "mean"})

    assert "library_name: unmask" in front_matter(text)
    assert "from transformers" not in text
    assert "transformers has no class for its mean-pooled head." in text
    text = written("reranking", settings={"pooling": "mean"})
    assert "library_name: unmask" in front_matter(text)
    assert "CrossEncoder" not in text
    text = written("multiple-choice", config=DebertaConfig())
    assert "transformers has no class for this task in its family." in text
    assert "AutoModel" not in text


def test_a_mean_that_transformers_class_reads_is_said_to_open_there(
    written: Callable[..., str],
) -> None:
    """As ModernBERT's classes do, by `classifier_pooling`, and `CrossEncoder` over them."""
    mean: dict[str, Any] = {"settings": {"pooling": "mean"}, "config": ModernBertConfig()}

    text = written("reranking", **mean)
    assert "library_name: sentence-transformers" in front_matter(text)
    assert "tags: [unmask, modernbert, reranking]" in front_matter(text)
    assert 'CrossEncoder("path/to/this/folder").rank(' in text
    assert "has no class" not in text
    text = written(**mean)
    assert "library_name: transformers" in front_matter(text)
    assert "AutoModelForSequenceClassification" in text


def test_labels_are_listed_safely_and_not_without_end(written: Callable[..., str]) -> None:
    names = ["a|b", "b\nline", "back`tick", *(f"label-{i}" for i in range(60))]
    examples = [TextExample("0", "x", None, name, None, "t:1") for name in names]

    text = written(examples=examples)

    (line,) = [line for line in text.splitlines() if line.startswith("Labels: ")]
    assert "`a/b`, `b line`, `back'tick`" in line
    assert line.endswith("and 13 more, which `config.json` names.")
    assert "Labels: `O`, `B-PER`, `I-PER`." in written("tagging")


def test_validation_figures_alone_are_said_to_flatter(written: Callable[..., str]) -> None:
    text = written()

    assert row(text, "score") == ["score", "validation"]
    assert row(text, "**accuracy**")[1:] == ["0.8750"]
    assert row(text, "log_loss")[1:] == ["0.3100"]
    assert "f1/no" not in text
    assert "no others were measured" in text
    assert "1,200 train, 130 validation" in text


def test_test_figures_stand_beside_their_interval_and_the_baselines(
    written: Callable[..., str],
) -> None:
    outcome = {
        "test": TEST,
        "intervals": {"accuracy": (0.7, 0.9)},
        "baselines": {"majority": {"accuracy": 0.5}, "linear probe": {"accuracy": 0.75}},
    }

    text = written(outcome=outcome)

    header = ["validation", "test", "95 % of test", "majority (test)", "linear probe (test)"]
    assert row(text, "score")[1:] == header
    figures = ["0.8750", "0.8125", "0.7000 to 0.9000", "0.5000", "0.7500"]
    assert row(text, "**accuracy**")[1:] == figures
    assert row(text, "log_loss")[1:] == ["0.3100", "0.4200", "", "", ""]
    assert "no worse than this model" not in text
    assert "no others were measured" not in text


def test_a_baseline_that_is_as_good_is_named(written: Callable[..., str]) -> None:
    others = {"majority": {"accuracy": 0.5}, "tf-idf": {"accuracy": 0.8125}}

    text = written(outcome={"test": TEST, "baselines": others})

    assert "On the test examples `tf-idf` is no worse than this model" in text
    assert "accuracy 0.8125 against 0.8125" in text
    assert "`majority` is no worse" not in text
    assert "the most frequent answer (of tags also that of each word)" in text


def test_pictures_are_embedded_with_what_they_show(written: Callable[..., str]) -> None:
    names = (
        *(pictures.CONFUSION, pictures.RELIABILITY, pictures.LABELS, pictures.SCATTER),
        *(pictures.ANSWERS, pictures.CURVES),
    )

    text = written(drawn=names, outcome={"test": TEST})

    for name in names:
        assert f"]({name})" in text
    assert f"on the test examples.]({pictures.CONFUSION})" in text
    assert f"on the validation examples.]({pictures.CONFUSION})" in written(drawn=names)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "70 steps of 16 examples; adamw at 5e-05 (linear, warm-up 10 %); seed 0."),
        ({"train": {"minutes": 2.5}}, "2.5 minutes of 16 examples"),
        ({"train": {"epochs": 4}}, "4 epochs of 16 examples"),
        ({"train": {"steps": 9, "seed": 7}}, "seed 7"),
        ({"optim": {"name": "muon"}}, "muon at 0.005"),
        ({"freeze": "encoder"}, "frozen: encoder"),
        ({"reinitialise": 2}, "fresh top blocks: 2"),
        ({"dropout": 0.2}, "dropout 0.2"),
        ({"settings": {"label_smoothing": 0.1}}, "label_smoothing 0.1"),
    ],
)
def test_the_card_tells_how_it_was_made(
    fields: dict[str, Any], expected: str, written: Callable[..., str]
) -> None:
    assert expected in written(**fields)


def test_what_only_this_tool_reads_is_said(written: Callable[..., str]) -> None:
    def warm(task: Any) -> Any:
        return replace(task, targets=replace(task.targets, temperature=1.5))

    def thresholds(task: Any) -> Any:
        return replace(task, targets=replace(task.targets, thresholds=(0.3, 0.7)))

    several = [TextExample(str(i), "x", None, ("a", "b")[:i], None, "t:1") for i in (1, 2)]
    unanswered = [QuestionExample("0", "who?", "it was", (), True, None, "t:1"), *EXAMPLES["qa"]]

    assert "does not read the temperature by which they are divided (1.500)" in written(tuned=warm)
    choosing = written("multiple-choice", tuned=lambda task: replace(task, temperature=1.5))
    assert "does not read the temperature by which they are divided (1.500)" in choosing
    kind = {"settings": {"kind": "multi"}}
    text = written(examples=several, tuned=thresholds, **kind)
    assert "does not read the labels' thresholds" in text
    assert "the threshold of no answer (0.000)" in written("qa", examples=unanswered)
    assert "does not read" not in written()


def test_a_number_has_no_labels_and_a_limit_of_its_own(written: Callable[..., str]) -> None:
    examples = [TextExample("0", "x", None, 2.0, None, "t:1")]
    figures = {"metric": "spearman", "validation": {"spearman": 0.8}}

    text = written(examples=examples, outcome=figures, settings={"kind": "regression"})

    assert "Labels:" not in text
    assert "# A regression model" in text
    assert "Nothing keeps the number within the range" in text
