"""`make demo`, with two steps of training instead of minutes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import unmask
from unmask.recipe.config import Pretrain

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.py"


def demo() -> Any:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shortened(corpus: Path, output: Path, recipe: Pretrain) -> Any:
    """The run that the demo asks for, cut short."""
    assert recipe.validation is not None
    train = recipe.train.model_copy(update={"steps": 2, "minutes": None, "batch_size": 4})
    return unmask.pretrain(corpus, output, recipe.model_copy(update={"train": train}))


def test_the_demo_goes_from_books_to_filled_blanks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = demo()
    facade = type("Facade", (), {"pretrain": staticmethod(shortened), "load": unmask.load})
    monkeypatch.setattr(script, "unmask", facade)
    monkeypatch.setattr(script, "LEAST_GAIN", -100.0)
    monkeypatch.chdir(tmp_path)

    script.main()

    said = capsys.readouterr().out
    for blank in script.BLANKS:
        assert blank in said
    assert "nats below the unigram entropy" in said
    assert (tmp_path / script.OUTPUT / "run" / "model" / "model.safetensors").is_file()


def test_a_demo_that_learned_too_little_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = demo()
    facade = type("Facade", (), {"pretrain": staticmethod(shortened), "load": unmask.load})
    monkeypatch.setattr(script, "unmask", facade)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SystemExit) as ended:
        script.main()
    assert ended.value.code == 1
