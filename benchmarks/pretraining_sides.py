"""The two sides of `pretraining.py`, each to be run in a process of its own."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import material
import numpy as np
import torch
from torch import Tensor

from unmask.batch import IGNORED, Batch
from unmask.data.config import MaskingConfig
from unmask.data.loader import Cursor, split, take
from unmask.data.masking import Masker
from unmask.data.packing import Chunks
from unmask.data.shards import Shards
from unmask.recipe.material import EVALUATION_SEED
from unmask.text.tokenizer import Tokenizer

SEQUENCE_LENGTH = 128
BATCH_SIZE = 32
MICRO_BATCH_TOKENS = 4096
VOCAB_SIZE = 8192
HELD_OUT_SEQUENCES = 1024


def ready() -> tuple[Path, Path]:
    """The corpora to train on and to be scored on; whole books on either side."""
    training, held_out = material.split_books()
    return (
        material.corpus(VOCAB_SIZE, "training", training).folder,
        material.corpus(VOCAB_SIZE, "held-out", held_out).folder,
    )


def held_out_batches(held_out: Path) -> list[Batch]:
    """What `unmask pretrain` measures on: the same sequences under the same masks."""
    shards = Shards.open(held_out)
    tokenizer = Tokenizer.load(shards.tokenizer_folder)
    documents = np.arange(shards.num_documents)
    source = Chunks(shards, documents, SEQUENCE_LENGTH, tokenizer.layout)
    number = min(len(source), HELD_OUT_SEQUENCES)
    sample_ids, epochs, _ = take(source, Cursor(), number, EVALUATION_SEED)
    masked = Masker(tokenizer, MaskingConfig(), EVALUATION_SEED)(
        source.batch(sample_ids, epochs), epochs
    )
    return split(masked, MICRO_BATCH_TOKENS)


def padded(batch: Batch) -> dict[str, Tensor]:
    """The sequences of a packed batch one below the other, as transformers takes them."""
    shape = (len(batch.lengths), max(batch.lengths))
    real = torch.arange(shape[1]) < torch.tensor(batch.lengths)[:, None]  # (B, T)
    input_ids = torch.zeros(shape, dtype=torch.int64)
    labels = torch.full(shape, IGNORED)
    input_ids[real], labels[real] = batch.input_ids, batch.labels["mlm"]
    return {"input_ids": input_ids, "attention_mask": real.long(), "labels": labels}


def scores(model: Any, batches: list[Batch]) -> dict[str, float]:
    """Held-out loss in nats and accuracy of BertForMaskedLM, per masked position."""
    total, hits, count = 0.0, 0, 0
    model.eval()
    with torch.inference_mode():
        for batch in map(padded, batches):
            labels = batch.pop("labels")
            picked = labels != IGNORED
            logits, answers = model(**batch).logits[picked], labels[picked]
            total += float(torch.nn.functional.cross_entropy(logits, answers, reduction="sum"))
            hits += int((logits.argmax(-1) == answers).sum())
            count += len(answers)
    model.train()
    return {"validation_mlm_loss": total / count, "validation_mlm_accuracy": hits / count}


class Clock:
    """Wall and CPU seconds, not counting what happens while it stands still."""

    def __init__(self) -> None:
        self.seconds, self.cpu_seconds = 0.0, 0.0
        self.go()

    def go(self) -> None:
        self._since = time.monotonic(), time.process_time()

    def read(self) -> float:
        """Takes in the time since the last reading; returns the wall seconds."""
        now = time.monotonic(), time.process_time()
        self.seconds += now[0] - self._since[0]
        self.cpu_seconds += now[1] - self._since[1]
        self._since = now
        return self.seconds


def theirs(arguments: argparse.Namespace) -> None:
    import peer

    training, held_out = (Shards.open(folder) for folder in ready())
    evaluation = held_out_batches(held_out.folder)
    incoming = peer.batches(
        peer.grouped(training, SEQUENCE_LENGTH), training.tokenizer_folder, BATCH_SIZE, seed=0
    )
    (learning_rate,) = arguments.learning_rates
    model = peer.model(arguments.preset, VOCAB_SIZE, dropout_rate=0.1)
    step = peer.Step(model, learning_rate, incoming, weight_decay=0.0)
    steps, tokens, budget = 0, 0, arguments.minutes * 60
    with arguments.curve.open("w", encoding="utf-8") as curve:
        clock = Clock()
        while (used := clock.read()) < budget:
            for group in step.optimizer.param_groups:
                group["lr"] = learning_rate * (1.0 - used / budget)
            tokens += step()
            steps += 1
            if steps % arguments.every and clock.read() < budget:
                continue
            line = {"step": steps, "seconds": clock.read(), "cpu_seconds": clock.cpu_seconds}
            line |= {"tokens": tokens, **scores(model, evaluation)}
            curve.write(json.dumps(line) + "\n")
            curve.flush()
            print("theirs", json.dumps(line), flush=True)
            clock.go()
    folder = arguments.curve.with_suffix("")
    model.save_pretrained(folder)
    Tokenizer.load(training.tokenizer_folder).save(folder)


def ours(arguments: argparse.Namespace) -> None:
    from unmask.recipe.config import Pretrain
    from unmask.recipe.files import load
    from unmask.recipe.pretrain import pretrain
    from unmask.train.log import METRICS_FILE, read_metrics

    training, held_out = ready()
    flags = {
        "preset": arguments.preset,
        "validation": held_out,
        "train": {
            "minutes": arguments.minutes,
            "evaluate_every": arguments.every,
            "validation_sequences": HELD_OUT_SEQUENCES,
        },
    }
    run = arguments.curve.with_suffix("")
    result = pretrain(training, run, load(arguments.recipe, flags, Pretrain), resume=True)
    lines = [line for line in read_metrics(run / METRICS_FILE) if "validation_mlm_loss" in line]
    lines[-1]["recomputed_mlm_loss"] = recomputed(result.folder, held_out)
    arguments.curve.write_text("".join(json.dumps(line) + "\n" for line in lines))


def recomputed(folder: Path, held_out: Path) -> float:
    """Our last loss again, by transformers, by the code that scores the peer: must agree."""
    from transformers import AutoModelForMaskedLM

    model = AutoModelForMaskedLM.from_pretrained(folder)
    return scores(model, held_out_batches(held_out))["validation_mlm_loss"]


SIDES = {"ours": ours, "theirs": theirs}
