"""The command line in this process, and tiny models to ask by it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from unmask.checkpoint import native
from unmask.checkpoint.transfer import with_head
from unmask.cli.application import main
from unmask.tasks.classification import Classification
from unmask.tasks.config import QuestionAnsweringConfig
from unmask.tasks.qa import QuestionAnswering

NLI = ("contradiction", "neutral", "entailment")


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Runs `unmask` with these words."""

    def go(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["unmask", *map(str, words)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Said(code, *capsys.readouterr())

    return go


@pytest.fixture(scope="session")
def judge(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of pairs, random, with the labels of natural language inference."""
    task = Classification.foreign(NLI, None)
    assert task is not None
    return headed(tiny_encoder, task, tmp_path_factory.mktemp("judge") / "model")


@pytest.fixture(scope="session")
def reader(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers questions at random."""
    task = QuestionAnswering(QuestionAnsweringConfig(max_length=32, stride=8, unanswerable=False))
    return headed(tiny_encoder, task, tmp_path_factory.mktemp("reader") / "model")


def headed(encoder: Path, task: Classification | QuestionAnswering, folder: Path) -> Path:
    """The folder of the encoder under a random head of this task."""
    base = native.load(encoder)
    generator = torch.Generator().manual_seed(3)
    start = with_head(base, task.head, task.num_outputs, generator)
    native.save(replace(base, model=start.model.eval(), task=task), folder)
    return folder


@pytest.fixture(scope="session")
def matcher(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as `judge`, but known to be trained on pairs."""
    task = Classification.foreign(NLI, None)
    assert task is not None
    folder = tmp_path_factory.mktemp("matcher") / "model"
    return headed(tiny_encoder, replace(task, pairs=True), folder)
