from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unmask.checkpoint.describe import describe
from unmask.cli.summary import summary


def test_a_fine_tuned_model_is_not_asked_to_fill_blanks(
    judge: Path, run: Callable[..., Any]
) -> None:
    said = run("fill", judge, "the [MASK] was good")

    assert said.code == 2
    assert "need a masked language model head" in said.err


def test_settings_for_plain_text_are_not_dropped_silently(
    judge: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_text("text\ttext_pair\tlabel\n" + "a cat\ta dog\tneutral\n" * 3)

    said = run("evaluate", judge, file, "--sequence-length", 16, "--num-sequences", 2)

    assert said.code == 2
    assert "--num-sequences, --sequence-length: for plain text only" in said.err
    assert run("evaluate", judge, file).code == 0


def test_words_too_many_are_named_as_they_were_written(run: Callable[..., Any]) -> None:
    said = run("evaluate", "model", "data", "more", "-")

    assert (said.code, said.err) == (
        2,
        "unmask: unexpected: more -\nTry `unmask evaluate --help`.\n",
    )


def test_layers_are_counted_apart_from_their_width(judge: Path) -> None:
    assert ("layers", "1, each 32 wide") in summary(describe(judge))


def test_answers_to_questions_are_written_for_the_official_script(
    reader: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    questions = [
        {
            "id": f"q{i}",
            "question": "was it good",
            "answers": [{"text": "good", "answer_start": 12}],
        }
        for i in range(3)
    ]
    data = {
        "data": [{"title": "a", "paragraphs": [{"context": "the cat was good", "qas": questions}]}]
    }
    asked = tmp_path / "asked.json"
    asked.write_text(json.dumps(data))

    said = run(
        "evaluate", reader, asked, "--predictions", tmp_path / "out" / "answers.json", "--json"
    )

    assert said.code == 0, said.err
    answers = json.loads((tmp_path / "out" / "answers.json").read_text())
    assert [*answers] == ["q0", "q1", "q2"]
    assert all(answer in "the cat was good" for answer in answers.values())


def test_only_answers_to_questions_are_written(
    judge: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    said = run("evaluate", judge, tmp_path, "--predictions", tmp_path / "answers.json")

    assert said.code == 2
    assert "--predictions: is for question answering" in said.err
