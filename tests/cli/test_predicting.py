from __future__ import annotations

import json
import sys
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from unmask.infer.engine import load

TEXTS = ["the cat was good", "a bad film"]
LABELS = ["cat", "dog", "good film"]
ASKED = ("--candidate-labels", "cat, dog,good film")


def documents(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize(
    ("flags", "settings"),
    [
        ((), {}),
        (("--multi-label",), {"multi_label": True}),
        (("--hypothesis-template", "a {}?"), {"hypothesis_template": "a {}?"}),
        (("--entailment", "neutral"), {"entailment": "neutral"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_labels_that_no_model_was_trained_on_as_the_engine_gives_them(
    flags: tuple[str, ...], settings: dict[str, Any], judge: Path, run: Callable[..., Any]
) -> None:
    said = run("predict", judge, *TEXTS, *ASKED, *flags, "--json")

    assert said.code == 0, said.err
    expected = load(judge).zero_shot(TEXTS, LABELS, **settings)
    assert documents(said.out) == [
        {"id": str(number), **answer} for number, answer in enumerate(expected, 1)
    ]


def test_for_people_the_likeliest_label_stands_first(judge: Path, run: Callable[..., Any]) -> None:
    (line,) = run("predict", judge, TEXTS[0], *ASKED).out.splitlines()

    (found,) = load(judge).zero_shot(TEXTS[:1], LABELS)
    shown = ", ".join(
        f"{name} {score:.4f}" for name, score in zip(found["labels"], found["scores"], strict=True)
    )
    assert line.strip() == f"1  {shown}"


@pytest.mark.parametrize("flags", [ASKED, ()], ids=["candidate labels", "its own labels"])
@pytest.mark.parametrize("words", [["-"], []], ids=["dash", "nothing"])
def test_texts_come_from_standard_input(
    words: list[str],
    flags: tuple[str, ...],
    judge: Path,
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = "\r\n\n".join(TEXTS)
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(lines.encode())))

    piped = run("predict", judge, *words, *flags, "--json")

    first, second = documents(run("predict", judge, *TEXTS, *flags, "--json").out)
    assert documents(piped.out) == [first, {**second, "id": "3"}]  # lines count, blank ones too


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("texts.txt", "\n".join(TEXTS) + "\n"),
        ("pairs.tsv", "sentence1\tsentence2\n" + "".join(f"{text}\tno\n" for text in TEXTS)),
    ],
)
def test_texts_come_from_files_and_of_pairs_the_first(
    name: str, content: str, judge: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_text(content)

    said = run("predict", judge, "--input", file, *ASKED, "--json")

    assert said.code == 0, said.err
    expected = documents(run("predict", judge, *TEXTS, *ASKED, "--json").out)
    found = documents(said.out)
    assert [one["labels"] for one in found] == [one["labels"] for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one["sequence"] == other["sequence"]
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-5)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("texts.txt", b"a cat\ncaf\xe9\n"),
        ("pairs.tsv", b"sentence1\tsentence2\na cat\ta dog\na cat\n"),
    ],
)
def test_records_that_cannot_be_read_are_told_of(
    name: str,
    content: bytes,
    judge: Path,
    run: Callable[..., Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = tmp_path / name
    file.write_bytes(content)

    said = run("predict", judge, "--input", file, "--json")

    assert (said.code, len(documents(said.out))) == (0, 1)
    assert f"{file}: 1 of 2 records cannot be read" in caplog.text
    assert f"left out, the first at {file}:" in caplog.text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--candidate-labels", "cat"], "candidate_labels: only 'cat'; expected at least two"),
        (["--candidate-labels", "cat,cat"], "'cat' stands there more than once"),
        (["--candidate-labels", "cat,,dog"], "none empty"),
        ([*ASKED, "--hypothesis-template", "a cat"], "has no place for the label"),
        ([*ASKED, "--entailment", "yes"], "no label 'yes', only 'contradiction', 'neutral'"),
        (["--multi-label"], "--multi-label: expected together with --candidate-labels"),
        (["--multi-label", "--entailment", "neutral"], "--entailment, --multi-label: expected"),
        (["--column.text-pair", "2"], "--column.text-pair: for files only"),
        (["--data.format", "csv"], "--data.format: for files only"),
        (["--precision", "fp8"], "fp8"),
        (["--input", "-"], "give texts, or a file by --input"),
        (["--input", "x.txt"], "give texts, or a file by --input"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_told(
    words: list[str], message: str, judge: Path, run: Callable[..., Any]
) -> None:
    said = run("predict", judge, *TEXTS, *words)

    assert said.code == 2
    assert message in said.err
    assert said.out == ""


def test_standard_input_is_no_file(judge: Path, run: Callable[..., Any]) -> None:
    said = run("predict", judge, "--input", "-")

    assert said.code == 2
    assert "Leave it out, and lines of text are read" in said.err


def test_candidate_labels_are_not_for_pairs(
    judge: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_text("sentence1\tsentence2\na cat\ta dog\n")

    said = run("predict", judge, "--input", file, *ASKED, "--column.text-pair", "sentence2")

    assert said.code == 2
    assert "are for one text, not for pairs" in said.err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--column.text", "0", "--data.columns.text", "0"], "--data.columns.text: the same sett"),
        (["--max-reject-rate", "0", "--data.max-reject-rate", "1"], "reject-rate: the same sett"),
    ],
    ids=["columns", "rejects"],
)
def test_a_setting_that_is_given_twice_is_refused(
    flags: list[str], message: str, judge: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    said = run("predict", judge, "--input", tmp_path / "a.tsv", *flags)

    assert said.code == 2
    assert message in said.err


def test_files_are_read_by_the_flags_of_evaluate(
    judge: Path, run: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.data"
    file.write_text("first,second,n\na cat,a dog,x\na cat\n")
    flags = "--data.format csv --data.columns.text first --column.text-pair second --column.id n"
    also = "--data.class-names a --max-reject-rate 1"

    said = run("predict", judge, "--input", file, *flags.split(), *also.split(), "--json")

    assert said.code == 0, said.err
    assert [one["id"] for one in documents(said.out)] == ["x"]
    assert "--data.class-names: without effect, for predict looks at no labels" in caplog.text


def test_answers_come_before_standard_input_ends(
    judge: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unmask.tasks.predicting._EXAMPLES_AT_ONCE", 2)
    lines = "\n".join([*TEXTS, "a broken \udce9 line"]).encode(errors="surrogateescape")
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(lines)))

    said = run("predict", judge, "--json")

    assert said.code == 3
    assert "standard input:3: byte 0xe9 is not UTF-8" in said.err
    assert documents(said.out) == documents(run("predict", judge, *TEXTS, "--json").out)


def test_bf16_answers_nearly_the_same(judge: Path, run: Callable[..., Any]) -> None:
    exact, half = (
        documents(run("predict", judge, *TEXTS, "--precision", precision, "--json").out)
        for precision in ("fp32", "bf16")
    )

    for one, other in zip(half, exact, strict=True):
        assert one["scores"] != other["scores"]
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-2)


def test_a_model_that_judges_nothing_is_refused(
    tiny_encoder: Path, run: Callable[..., Any]
) -> None:
    said = run("predict", tiny_encoder, *TEXTS, *ASKED)

    assert said.code == 2
    assert "needs a classifier of pairs of texts" in said.err


def test_a_question_takes_two_texts(reader: Path, run: Callable[..., Any]) -> None:
    said = run("predict", reader, "was it good", "the cat was good", "was it bad")

    assert said.code == 2
    assert "reads two texts, question and context; found 3" in said.err
    assert run("predict", reader, "was it good", "the cat was good").code == 0


PAIR = {"text": "the cat", "text_pair": "was good"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pairs.txt", "the cat\twas good\n"),
        ("pairs.tsv", "the cat\twas good\n"),
        ("pairs.csv", "the cat,was good\n"),
        ("named.csv", "text,text_pair\nthe cat,was good\n"),
        ("pairs.jsonl", json.dumps(PAIR) + "\n"),
    ],
)
def test_pairs_come_from_files(
    name: str, content: str, matcher: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    (expected,) = load(matcher).predict([PAIR])
    (tmp_path / name).write_text(content)

    said = run("predict", matcher, "--input", tmp_path / name, "--json")

    assert said.code == 0, said.err
    (found,) = documents(said.out)
    assert found["scores"] == pytest.approx(expected["scores"], abs=1e-6)


@pytest.mark.parametrize("piped", [True, False])
def test_a_pair_comes_from_two_arguments_or_a_line(
    piped: bool, matcher: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = b"\nthe cat\twas good\nthe dog\twas bad\n" if piped else b""
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(lines)))
    (expected,) = load(matcher).predict([PAIR])

    said = run("predict", matcher, *([] if piped else PAIR.values()), "--json")

    found = documents(said.out)
    assert [one["id"] for one in found] == (["2", "3"] if piped else ["1"])
    assert found[0]["scores"] == pytest.approx(expected["scores"], abs=1e-6)


def test_one_text_is_refused_where_pairs_were_trained_on(
    matcher: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    said = run("predict", matcher, "the cat")
    assert said.code == 2
    assert "reads two texts, text and text_pair; found 1" in said.err
    (tmp_path / "a.jsonl").write_text('{"text": "the cat", "label": "neutral"}\n')
    for words in (["predict", matcher, "--input"], ["evaluate", matcher]):
        said = run(*words, tmp_path / "a.jsonl")
        assert said.code == 3
        assert "is one text, but the model was trained on pairs" in said.err


def test_the_name_of_a_file_is_a_text_and_a_warning(
    judge: Path, run: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "texts.txt").write_text("the cat\n")

    assert run("predict", judge, tmp_path / "texts.txt").code == 0

    assert "is a file, but was taken for a text" in caplog.text


def test_several_columns_are_flags_that_repeat_or_one_that_lists(
    tiny_encoder: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    rows = "".join(f"{text},{i % 2},{i // 2 % 2}\n" for i, text in enumerate(TEXTS * 10))
    (tmp_path / "a.csv").write_text("text,film,funny\n" + rows)
    column = "--data.columns.label"
    for number, words in enumerate(([column, "film", column, "funny"], [column, "film", "funny"])):
        run_folder = tmp_path / str(number)
        trained = run("finetune", "classification", tmp_path / "a.csv", "--model", tiny_encoder,
                      "--output", run_folder, "--kind", "multi", "--train.steps", "2",
                      "--no-baselines", "--no-pictures", *words)  # fmt: skip

        assert trained.code == 0, trained.err
        assert load(run_folder / "model").bundle.task.labels == ("film", "funny")  # type: ignore[union-attr]
