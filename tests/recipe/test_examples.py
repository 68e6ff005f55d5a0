"""What a run reads: bad records are listed with file and line, and cost no good one."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from unmask.data.labelled.config import LabelledConfig
from unmask.errors import DataError, UsageError
from unmask.recipe.examples import Examples, examined, read, read_both, reading_config
from unmask.tasks.config import ClassificationConfig, TaggingConfig

TEXTS = [f"{i}\ta film {i}\t{'yes' if i % 2 else 'no'}" for i in range(20)]
NUMBERS = [f"{i}\ta film {i}\t{i / 4}" for i in range(20)]
SENTENCES = [f"the\tO\nfilm{i}\tB-film" for i in range(20)]


def table(*bad: str, good: list[str] = TEXTS) -> str:
    return "\n".join(["id\ttext\tlabel", *good, *bad])


def conll(*bad: str) -> str:
    return "\n\n".join([*SENTENCES, *bad])


def squad(*answers: tuple[str, int], context: str = "Rome is in Italy. Rome is old.") -> str:
    given = [("Italy", 11)] * 20 + list(answers)
    questions = [
        {"id": str(i), "question": "Where?", "answers": [{"text": text, "answer_start": start}]}
        for i, (text, start) in enumerate(given)
    ]
    articles = [
        {"title": str(i), "paragraphs": [{"context": context, "qas": [question]}]}
        for i, question in enumerate(questions)
    ]
    return json.dumps({"version": "1.1", "data": articles})


def go(task: str, file: Path, settings: dict[str, Any] | None = None) -> Examples:
    config = LabelledConfig.model_validate(settings or {})
    return read_both(task, file, None, config, 0.2, None, file.parent, lambda _: None)


@pytest.mark.parametrize(
    ("task", "name", "content", "settings", "record", "reason"),
    [
        ("classification", "a.tsv", table("20\ta film"), {}, 22, "missing column: 2 fields, expec"),
        ("classification", "a.tsv", table("20\ta\tb\tc"), {}, 22, "extra column: 4 fields, expect"),
        ("classification", "a.tsv", table("20\t \tyes"), {}, 22, "empty text"),
        ("classification", "a.tsv", table("20\ta film\t"), {}, 22, "no label"),
        ("classification", "a.tsv", table("3\ta film\tyes"), {}, 22, "duplicate id: `3` stands in"),
        (
            "classification",
            "a.tsv",
            table("20\ta film\tmaybe"),
            {"class_names": ["no", "yes"]},
            22,
            "label out of range: `maybe`, expected `no`, `yes`",
        ),
        (
            "classification",
            "a.tsv",
            table("20\ta film\tnan", good=NUMBERS),
            {"labels": "number"},
            22,
            "label is not finite: `nan`",
        ),
        (
            "classification",
            "a.tsv",
            table("20\ta film\t7", good=NUMBERS),
            {"labels": "number", "label_range": [0, 5]},
            22,
            "label out of range: 7, expected 0 to 5",
        ),
        ("tagging", "a.conll", conll("a\tO\nfilm"), {}, 62, "missing column: found 1, expected 2"),
        ("qa", "a.json", squad(("Rome", 5)), {}, 21, "misaligned answer: data[20].paragraphs[0]"),
        ("qa", "a.json", squad(("Oslo", 0)), {}, 21, "misaligned answer: data[20].paragraphs[0]"),
    ],
)
def test_a_bad_record_is_listed_with_its_line_and_costs_no_other(
    task: str,
    name: str,
    content: str,
    settings: dict[str, Any],
    record: int,
    reason: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")

    found = go(task, file, settings)

    assert len(found.train) + len(found.validation) == 20
    (reject,) = map(json.loads, (tmp_path / "rejects.jsonl").read_text().splitlines())
    assert (reject["source"], reject["record"]) == (str(file), record)
    assert reject["reason"].startswith(reason)
    kind = reject["reason"].partition(":")[0]
    assert f"1 of 21 records cannot be read (1 {kind})" in caplog.text
    assert str(tmp_path / "rejects.jsonl") in caplog.text


def test_an_answer_with_a_wrong_offset_is_moved_to_its_only_place_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.json"
    file.write_text(squad(("old", 3)), encoding="utf-8")

    found = go("qa", file)

    (moved,) = (e for e in (*found.train, *found.validation) if e.id == "20")
    assert moved.answers[0].start == moved.context.index("old")
    assert f"{file}: 1 examples with an answer whose offset was wrong" in caplog.text
    assert (tmp_path / "rejects.jsonl").read_text() == ""


@pytest.mark.parametrize("ending", ["", "\n", "\n\n", "\r\n"])
def test_the_last_sentence_is_read_however_the_file_ends(ending: str, tmp_path: Path) -> None:
    file = tmp_path / "a.conll"
    file.write_bytes((conll("the\tO\nlast\tB-film") + ending).encode())

    found = go("tagging", file)

    assert len(found.train) + len(found.validation) == 21
    assert any(e.text == "the last" for e in (*found.train, *found.validation))


@pytest.mark.parametrize("is_given", [True, False])
@pytest.mark.parametrize(
    ("task", "line", "said"),
    [
        ("tagging", "the film {} was good\tpositive", "60 of 60 words are whole texts"),
        ("classification", "word{}\tO{}", "60 of the first 60 texts are single words"),
    ],
)
def test_a_file_of_another_task_is_warned_of_before_anything_else(
    task: str, line: str, said: str, is_given: bool, tmp_path: Path
) -> None:
    ends = ["\n" if task == "classification" and i % 9 == 0 else "" for i in range(60)]
    rows = [line.format(i, i % 2) + end for i, end in enumerate(ends)]
    file = tmp_path / "a.tsv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    told: list[str] = []

    with suppress(DataError):  # of one sentence nothing can be held out
        read_both(task, file, file if is_given else None, LabelledConfig(), 0.1, None,
                  tmp_path, told.append)  # fmt: skip

    assert told
    assert told[0].startswith(f"warning: {file}: {said}")
    assert "unmask finetune" in told[0]


def test_a_class_with_one_example_is_kept_for_training_and_named_with_its_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.tsv"
    file.write_text(table("20\ta film\tmaybe"), encoding="utf-8")

    found = go("classification", file)

    assert [e.label for e in found.train if e.label == "maybe"] == ["maybe"]
    assert "`maybe`: one example each; kept for training" in caplog.text
    assert f"(see {file}:22)" in caplog.text


@pytest.mark.parametrize(
    ("kind", "labels", "said"),
    [
        ("single", "multi", "of the kind `single` reads its labels as `class`.*with --kind multi"),
        ("multi", "number", "of the kind `multi` reads its labels as `multi`.*--kind regression"),
        ("regression", "class", "of the kind `regression` reads.*leave --data.labels out, or"),
        ("multi", "none", r"--data\.labels none: .* leave --data\.labels out\.$"),
    ],
)
def test_a_kind_and_labels_that_disagree_are_refused(kind: str, labels: str, said: str) -> None:
    settings = ClassificationConfig.model_validate({"kind": kind})
    data = LabelledConfig.model_validate({"labels": labels})

    with pytest.raises(UsageError, match=said):
        reading_config(settings, data)


def test_the_kind_says_what_a_label_is_where_nothing_else_does() -> None:
    regression = ClassificationConfig(kind="regression")

    assert reading_config(regression, LabelledConfig()).labels == "number"
    assert reading_config(regression, LabelledConfig(labels="number")).labels == "number"
    assert reading_config(TaggingConfig(), LabelledConfig(labels="none")).labels == "none"


def test_a_file_without_a_list_of_rejects_names_the_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.tsv"
    file.write_text(table("20\t\tyes", "21\ta film"), encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        found = read("classification", file, LabelledConfig())

    assert len(found) == 20
    told = "2 of 22 records cannot be read (1 empty text, 1 missing column) and are left out"
    assert f"{file}: {told}, the first at {file}:22 (empty text)." in caplog.text


@pytest.mark.parametrize(
    ("bad", "rate", "severity"), [(10, 0.001, "error"), (9, 0.0, "warning"), (10, 0.5, "warning")]
)
def test_doctor_calls_an_error_what_a_run_stops_at(
    bad: int, rate: float, severity: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.tsv"
    file.write_text(table(*[f"{20 + i}\ta film" for i in range(bad)]), encoding="utf-8")
    config = LabelledConfig(max_reject_rate=rate)

    first, *_ = examined("classification", file, (), config, None)

    assert first.severity == severity
    assert f"{bad} of {20 + bad} records cannot be read" in first.what
    assert (f"more than --data.max-reject-rate {rate:g} allows" in first.why) == (
        severity == "error"
    )


def test_doctor_refuses_a_file_that_is_named_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.tsv", "b.tsv"):
        Path(name).write_text(table(), encoding="utf-8")
    for files in (["a.tsv", "./a.tsv"], ["a.tsv", "b.tsv", str(tmp_path / "b.tsv")]):
        train, *others = map(Path, files)
        with pytest.raises(UsageError, match=r"[ab]\.tsv: is named twice; expected each file once"):
            examined("classification", train, others, LabelledConfig(), None)
