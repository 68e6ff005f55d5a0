"""What a model's folder tells of its pretraining: in unmask.json, and in the scores beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from unmask.checkpoint.huggingface.provenance import read_provenance
from unmask.checkpoint.runs import GENERATOR_FOLDER, MODEL_FOLDER
from unmask.checkpoint.safe import MAX_JSON_BYTES, contained, read_object
from unmask.errors import DataError

SCORES = "scores.json"
"""The figures that a run ended with; the held-out ones of pretraining are its `validation`."""


@dataclass(frozen=True)
class History:
    """How a model was pretrained; all None where that was not done here."""

    sequence_length: int | None
    """Tokens of the longest sequences it was trained on, specials included."""
    corpus_sha256: str | None
    """Which corpus it was trained on."""


class FinalLosses(NamedTuple):
    """What a pretraining run ended with, in nats."""

    mlm_loss: float
    """Held out; NaN where it was no number."""
    corpus_unigram_entropy: float
    """About the loss of guessing by frequency."""
    is_of_generator: bool
    """In replaced token detection, whose model is the other network."""


def read_history(folder: Path | None) -> History:
    """What unmask.json tells; None stands for a model that never lay in a folder.

    Raises:
        DataError: unmask.json is broken.
    """
    made_by = (None if folder is None else read_provenance(folder)) or {}
    length = _within(made_by, "recipe", "train", "sequence_length")
    corpus = _within(made_by, "identity", "corpus")
    return History(
        sequence_length=length if type(length) is int and length > 0 else None,
        corpus_sha256=corpus if isinstance(corpus, str) else None,
    )


def read_final_losses(folder: Path) -> FinalLosses | None:
    """None where scores.json is not there, or is not that of a pretraining run."""
    file = contained(folder, SCORES)
    try:
        scores = read_object(file, MAX_JSON_BYTES) if file.is_file() else {}
    except DataError:
        return None  # another tool may call a file of its own that
    validation, entropy = scores.get("validation"), _number(scores.get("corpus_unigram_entropy"))
    if not isinstance(validation, dict) or "mlm_loss" not in validation or entropy is None:
        return None
    loss = _number(validation["mlm_loss"])
    return FinalLosses(math.nan if loss is None else loss, entropy, "rtd_loss" in validation)


def generator_of(folder: Path | None) -> Path | None:
    """The generator that a discriminator was trained beside, where it still lies in its run."""
    if folder is None or folder.name != MODEL_FOLDER:
        return None
    beside = folder.parent / GENERATOR_FOLDER
    return beside if beside.is_dir() else None


def _within(document: Any, *keys: str) -> object:
    """What lies under these keys; None where one of them is not there."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
