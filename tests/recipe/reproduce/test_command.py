from __future__ import annotations

import json
from pathlib import Path

import pytest
from cyclopts import App

from unmask.cli.reproducing import reproduce

Ready = list[str]


@pytest.fixture
def command(published: Path, tiny_model: Path, tmp_path: Path) -> Ready:
    """What stands behind the name of a table."""
    places = {"--data": published, "--model": tiny_model, "--output": tmp_path / "out"}
    return [str(part) for place in places.items() for part in place]


@pytest.fixture
def app() -> App:
    app = App(name="unmask", result_action="return_value")
    app.command(reproduce)
    return app


def test_every_kind_of_task_stands_beside_its_baselines(
    app: App, command: Ready, capsys: pytest.CaptureFixture[str]
) -> None:
    only = ["cola", "squad2", "squad2-answerable", "ud-ewt"]
    app(["reproduce", "tasks-all", *command, "--json", "--only", *only])

    (document,) = json.loads(capsys.readouterr().out)
    assert [row["row"] for row in document["rows"]] == [
        "cola",
        "ud-ewt",
        "squad2-answerable",
        "squad2",
    ]
    for row in document["rows"]:
        first = next(iter(row["scores"]))
        assert len(row["baselines"]) >= (1 if row["task"] == "qa" else 2)
        assert all(first in scores for scores in row["baselines"].values())
        assert row["scores"][first]["interval"] is not None


def test_pretrained_weights_stand_beside_random_ones(
    app: App, command: Ready, capsys: pytest.CaptureFixture[str]
) -> None:
    app(["reproduce", "pretraining", *command, "--only", "sst2"])

    printed = capsys.readouterr().out
    assert "| SST-2, sentences, random weights | 48 |" in printed
    assert "| SST-2, sentences, random weights, rate 0.0005 | 48 |" in printed


def test_published_figures_name_their_source(
    app: App, command: Ready, capsys: pytest.CaptureFixture[str]
) -> None:
    app(["reproduce", "tasks-full", *command, "--only", "sst2"])

    assert "(Devlin et al. 2019, table 1)" in capsys.readouterr().out
