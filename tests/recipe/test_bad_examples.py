"""What cannot be learned, or not measured, ends a run before its first step, by file and line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unmask.checkpoint import native
from unmask.data.labelled.config import LabelledConfig
from unmask.errors import DataError, UsageError
from unmask.recipe.assess import assess
from unmask.recipe.config import Finetune
from unmask.recipe.finetune import finetune
from unmask.recipe.outcome import Outcome
from unmask.train.log import METRICS_FILE

WORDS = ("good", "bad")
TEXTS = "text\tlabel\n" + "".join(f"the film was {WORDS[i % 2]}\t{i % 2}\n" for i in range(40))
SENTENCES = "".join(f"the\tO\ncat\tB-x\nfilm{i}\tI-x\n\n" for i in range(20))

Write = Callable[[str, str], Path]
Run = Callable[..., Outcome]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str) -> Path:
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return path

    return write


@pytest.fixture
def run(tiny_encoder: Path, tmp_path: Path, make_finetune: Callable[..., Finetune]) -> Run:
    """Fine-tunes for two steps, on a file and by settings that the test gives."""

    def run(
        file: Path,
        output: str = "run",
        model: Path = tiny_encoder,
        validation: Path | None = None,
        test: Path | None = None,
        **settings: Any,
    ) -> Outcome:
        recipe = make_finetune(train={"steps": 2}, **settings)
        return finetune(
            file,
            model,
            tmp_path / output,
            recipe,
            validation=validation,
            test=test,
            say=lambda _: None,
        )

    return run


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize(
    ("task", "ending", "train", "unseen", "settings", "said"),
    [
        ("classification", "tsv", TEXTS, "a film\t7\n", {}, "label '7' is none of the 2"),
        (
            "classification",
            "tsv",
            TEXTS,
            "a film\t7\n",
            {"settings": {"kind": "multi"}},
            "label '7' is none of the 2",
        ),
        ("tagging", "conll", SENTENCES, "a\tB-y\n", {}, "label 'B-y' is none of the 3"),
    ],
    ids=["one label", "several labels", "tags"],
)
def test_a_label_unseen_in_training_is_found_before_the_first_step(
    task: str,
    ending: str,
    train: str,
    unseen: str,
    settings: dict[str, Any],
    said: str,
    part: str,
    write: Write,
    run: Run,
    tmp_path: Path,
) -> None:
    known = train * 4 if task == "tagging" else train + train.partition("\n")[2] * 4
    other = write(f"other.{ending}", known + unseen)  # far behind the beginning

    with pytest.raises(DataError, match=said) as caught:
        run(write(f"train.{ending}", train), task=task, **{part: other}, **settings)

    assert f"{other}:{known.count(chr(10)) + 1}:" in str(caught.value)
    assert not (tmp_path / "run" / METRICS_FILE).exists()


def test_a_test_file_without_labels_is_found_before_the_first_step(
    write: Write, run: Run, tmp_path: Path
) -> None:
    test = write("test.tsv", "text\na film\n")

    with pytest.raises(DataError, match=r"test\.tsv:1: none of its columns .* is known as label"):
        run(write("train.tsv", TEXTS), test=test)

    assert not (tmp_path / "run" / METRICS_FILE).exists()


def test_bad_records_of_every_file_are_listed(write: Write, run: Run, tmp_path: Path) -> None:
    files = [write(f"{name}.tsv", TEXTS + "alone\n" * n) for n, name in enumerate("abc", 1)]

    run(files[0], validation=files[1], test=files[2])

    names = ("rejects.jsonl", "validation-rejects.jsonl", "test-rejects.jsonl")
    listed = [(tmp_path / "run" / name).read_text().splitlines() for name in names]
    assert [len(lines) for lines in listed] == [1, 2, 3]
    assert all(f'"record": {42 + len(lines) - 1}' in lines[-1] for lines in listed)


def test_only_one_class_is_named_with_the_file(write: Write, run: Run) -> None:
    file = write("train.tsv", TEXTS.replace("\t1\n", "\t0\n"))

    with pytest.raises(
        DataError, match=r"train\.tsv:\d+: all 36 examples carry the same label \(0"
    ):
        run(file)


def test_an_inside_tag_without_a_beginning_is_learned_as_it_is_and_told_of(
    write: Write, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    file = write("train.conll", SENTENCES + "the\tO\nlone\tI-x\n")

    run(file, task="tagging", validation=file)

    assert f"{file}:81: word 2, `I-x` after `O`, which iob2 does not have (1 of 21" in caplog.text


def test_a_context_of_a_million_characters_is_learned_from(
    write: Write, run: Run, tmp_path: Path
) -> None:
    context = "cat " * 150_000 + "film " + "dog " * 100_000
    answers = [{"text": "film", "answer_start": 600_000}]
    asked = {"id": "1", "question": "what?", "answers": answers}
    articles = [{"paragraphs": [{"context": context, "qas": [asked]}]}]
    file = write("train.json", json.dumps({"data": articles}))

    outcome = run(file, task="qa", validation=file, settings={"max_length": 64, "stride": 0})

    assert outcome.validation["total"] == 1
    assert (tmp_path / "run" / "rejects.jsonl").read_text() == ""


def test_labels_that_a_fine_tuned_model_does_not_have_are_named(write: Write, run: Run) -> None:
    outcome = run(write("train.tsv", TEXTS))
    other = write("other.tsv", "text\tlabel\na film\t1\na film\t2\n")

    with pytest.raises(DataError, match=r"other\.tsv:3: label '2' is none of the 2"):
        assess(native.load(outcome.folder), other, LabelledConfig())


def test_a_model_of_another_task_and_label_count_gets_a_head_that_fits(
    write: Write, run: Run
) -> None:
    first = run(write("train.tsv", TEXTS), "first")

    second = run(write("train.conll", SENTENCES), "second", first.folder, task="tagging")

    task = native.load(second.folder).task
    assert task is not None
    assert (task.name, getattr(task, "labels", ())) == ("tagging", ("O", "B-x", "I-x"))


def test_labels_and_a_kind_that_disagree_are_refused_before_anything_is_written(
    write: Write, run: Run, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"--data\.labels multi: .* --kind multi"):
        run(write("train.tsv", TEXTS), data={"labels": "multi"})

    assert not (tmp_path / "run").exists()
