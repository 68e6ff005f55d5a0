"""`unmask tune` from the command line."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from unmask.cli.application import main
from unmask.train.log import RunLog
from unmask.train.state import RunState

pytest.importorskip("optuna", reason="the extra `tune` is not installed")


@pytest.fixture
def train_file(tmp_path: Path) -> Path:
    rows = [
        f"the {what} was {word}\t{label}\n"
        for what in ("cat", "dog", "film", "cat film", "dog film")
        for label, words in (("yes", "good fine nice"), ("no", "bad poor awful"))
        for word in words.split()
    ]
    file = tmp_path / "train.tsv"
    file.write_text("text\tlabel\n" + "".join(rows))
    return file


def run(*arguments: object) -> int:
    """The exit code of the command, run in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["unmask", *map(str, arguments)])
        try:
            main()
        except SystemExit as error:
            return int(error.code or 0)
    return 0


def command(train_file: Path, model: Path, output: Path, trials: int = 2) -> list[object]:
    return [
        *("tune", "classification", train_file, "--model", model, "--output", output),
        *("--trials", trials, "--space.learning-rate", 1e-3, 1e-2, "--space.batch-size", 8, 16),
        *("--train.epochs", 1, "--pooling", "mean"),
    ]


def test_trials_are_a_table_or_json_and_the_recipe_can_be_used(
    train_file: Path, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    searching = command(train_file, tiny_encoder, tmp_path / "search")

    assert run(*searching) == 0
    shown = capsys.readouterr()
    assert run(*searching, "--json") == 0
    (document,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert run("finetune", "classification", train_file, "--model", tiny_encoder,
               "--recipe", tmp_path / "search" / "best.toml", "--no-baselines",
               "--output", tmp_path / "run", "--json") == 0  # fmt: skip
    outcome = json.loads(capsys.readouterr().out)

    assert "accuracy" in shown.out
    assert "learning" in shown.out
    assert f"recipe: {tmp_path / 'search' / 'best.toml'}" in shown.out
    assert "trial 2 of 2: accuracy" in shown.err
    assert [trial["number"] for trial in document["trials"]] == [1, 2]
    assert set(document["best"]["parameters"]) == {"learning_rate", "batch_size"}
    assert outcome["validation"]["accuracy"] == document["best"]["score"]


def test_an_interrupt_ends_with_5_and_the_same_command_goes_on(
    train_file: Path,
    tiny_encoder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searching = command(train_file, tiny_encoder, tmp_path / "search", trials=1)

    def once(_: RunLog, state: RunState, *__: object) -> None:
        if state.global_step == 1:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "step", once)
        assert run(*searching) == 5
    assert "unmask: stopped in trial 1 of 1 as asked" in capsys.readouterr().err

    assert run(*searching, "--json") == 0
    assert json.loads(capsys.readouterr().out)["best"]["number"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--space.learning-rate", "1e-2", "1e-3"), "expected the least value first"),
        (("--optim.learning-rate", "1e-3"), "optim.learning_rate is set and space.learning_rate"),
        (("--space.dropout", "0", "1.5"), "space.dropout 1.5"),
        (("--space.rate", "0", "1"), "--space.rate"),
    ],
)
def test_mistakes_in_the_space_are_usage_errors(
    arguments: tuple[str, ...],
    said: str,
    train_file: Path,
    tiny_encoder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = command(train_file, tiny_encoder, tmp_path / "search")
    if arguments[0] == "--space.learning-rate":
        given = [word for word in given if word not in ("--space.learning-rate", 1e-3, 1e-2)]

    assert run(*given, *arguments) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "search").exists()
