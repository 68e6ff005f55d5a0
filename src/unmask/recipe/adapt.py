"""Pretraining gone on with text of a task's own domain, before the task is learned."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np

from unmask.checkpoint import native
from unmask.checkpoint.runs import checkpoints
from unmask.data.config import CorpusConfig, ReaderConfig
from unmask.data.manifest import is_corpus
from unmask.data.prepare import prepare
from unmask.data.shards import Shards
from unmask.errors import UsageError, writing
from unmask.recipe.config import Finetune, Pretrain
from unmask.recipe.material import CORPUS_FOLDER, sequences
from unmask.recipe.pretrain import carried_out
from unmask.recipe.result import Result
from unmask.recipe.telling import no_better_than_guessing
from unmask.recipe.together import Say
from unmask.train.distributed import World

FOLDER = "adapted"
"""Within the folder of a fine-tuning run."""
_LENGTH = 128
_VALIDATION_RATE = 0.1
_WARMUP_RATE = 0.06
"""As Gururangan et al. 2020, table 13."""
_NOTE = "adapted-text.json"


def adapt(
    text: Path,
    model: Path | str,
    run: Path,
    recipe: Finetune,
    here: World,
    say: Say,
) -> Path:
    """Trains the model's masked language modelling on unlabelled text; gives its folder.

    Each line or record is a document. It is done once and gone on with where it was interrupted
    (Gururangan et al. 2020, arXiv 2004.10964, call it task-adaptive pretraining).

    Raises:
        DataError: Text that cannot be read, or too little of it.
    """
    folder = run / FOLDER
    corpus = folder / CORPUS_FOLDER
    here.first(lambda: _claim(run, text))
    adapted = folder / native.MODEL_FOLDER
    if adapted.is_dir() and not checkpoints(folder):
        return adapted  # a finished run was tidied
    base = native.load(model)
    tokenizer, length = base.require_tokenizer(), min(_LENGTH, base.max_length)
    reader = ReaderConfig(documents="line" if ".txt" in text.suffixes[-2:] else None)
    settings = CorpusConfig(reader=reader, duplicates="exact")
    if not here.first(lambda: is_corpus(corpus)):
        here.first(lambda: prepare([text], tokenizer, corpus, settings))
    shards = Shards.open(corpus)
    source = sequences(shards, np.arange(shards.num_documents), length, tokenizer, None)
    continued = _pretraining(recipe, len(source), length)
    say(f"adapting to {text}: {continued.train.steps} steps of masked language modelling")
    result = carried_out(
        [corpus],
        folder,
        continued,
        _warning,
        tokenizer=None,
        model=model,
        resume=bool(checkpoints(folder)),
        say=say,
    )
    return result.folder


def _pretraining(recipe: Finetune, num_sequences: int, length: int) -> Pretrain:
    """`num_sequences` of at most `length` tokens, seen as often as `recipe` says."""
    given = recipe.adaptation
    in_training = (1.0 - _VALIDATION_RATE) * num_sequences
    steps = math.ceil(given.epochs * in_training / given.batch_size)
    dropout = {} if recipe.dropout is None else {"dropout": recipe.dropout}
    return Pretrain.model_validate(
        {
            **dropout,
            "validation_rate": _VALIDATION_RATE,
            "train": {
                "steps": steps,
                "evaluate_every": math.ceil(steps / math.ceil(given.epochs)),
                "batch_size": given.batch_size,
                "sequence_length": length,
                "seed": recipe.train.seed,
                "device": recipe.train.device,
                "precision": recipe.train.precision,
            },
            "optim": {"learning_rate": given.learning_rate, "warmup_rate": _WARMUP_RATE},
        }
    )


def _warning(result: Result) -> str | None:
    """As a pretraining run's, with the names of these settings."""
    said = no_better_than_guessing(result.scores["mlm_loss"], result.unigram_entropy)
    return said and (
        f"{said} Adapt for longer (--adaptation.epochs), set another --adaptation.learning-rate, "
        "or begin with a model of the text's language."
    )


def _claim(run: Path, text: Path) -> None:
    """Writes down what is adapted to, or finds it written.

    Raises:
        UsageError: It was another text.
    """
    files = sorted(path for path in text.rglob("*") if path.is_file()) if text.is_dir() else [text]
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    wanted = {"name": text.name, "sha256": digest.hexdigest()}
    note = run / _NOTE
    if note.is_file():
        before = json.loads(note.read_text(encoding="utf-8"))
        if before["sha256"] != wanted["sha256"]:
            raise UsageError(
                f"{run}: is being adapted to {before['name']}, now another text is given, "
                f"{text}. Name that one again, or choose another --output."
            )
        return
    with writing(note):
        run.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(wanted) + "\n", encoding="utf-8")
