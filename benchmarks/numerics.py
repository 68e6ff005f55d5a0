"""The gradient of one optimizer step, for a batch of 8 cut into micro-batches in three ways.

transformers' side is its Trainer on BertForMaskedLM, as run_mlm uses it; the norm is read in the
callback before the optimizer's step. Both sides have the same weights, sequences and masks, and
dropout 0 and no clipping, so all six norms should be one number.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import material
import measure
import ours
import peer
import torch
from transformers import (
    DataCollatorForLanguageModeling,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    default_data_collator,
)

from unmask.batch import Batch, pack
from unmask.checkpoint import native
from unmask.models.config import Preset
from unmask.tasks.masked_lm import MaskedLM

NUM_SEQUENCES = 8
SEQUENCE_LENGTH = 64
VOCAB_SIZE = 8192
SPLITS = {"8 x 1": (8, 1), "2 x 4": (2, 4), "1 x 8": (1, 8)}
"""Sequences of a micro-batch, and micro-batches of a step."""


def masked_sequences() -> list[dict[str, torch.Tensor]]:
    """Eight sequences of real text, masked once by transformers' collator."""
    paths = material.cut(material.split_books()[0], 1.0, material.WORK / "text-1mb")
    shards = material.corpus(VOCAB_SIZE, "1mb", paths)
    fast = peer.tokenizer(shards.tokenizer_folder)
    special_ids = peer.special_ids(fast)
    blocks = peer.grouped(shards, SEQUENCE_LENGTH)[:NUM_SEQUENCES]
    collate = DataCollatorForLanguageModeling(fast, mlm_probability=0.15, seed=0)
    batch = collate([peer.example(ids, special_ids) for ids in blocks])
    return [{name: rows[i] for name, rows in batch.items()} for i in range(NUM_SEQUENCES)]


class GradientNorm(TrainerCallback):
    """Reads the gradient that the optimizer is about to use."""

    norm = 0.0

    def on_pre_optimizer_step(self, *_: Any, **given: Any) -> None:
        self.norm = norm_of(given["model"])


def norm_of(model: torch.nn.Module) -> float:
    gradients = [p.grad.double().norm() for p in model.parameters() if p.grad is not None]
    return float(torch.stack(gradients).norm())


def their_norm(
    model: Any, examples: list[dict[str, torch.Tensor]], size: int, steps: int, folder: Path
) -> float:
    """The norm under transformers' Trainer, which takes one step at learning rate zero."""
    seen = GradientNorm()
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(folder),
            per_device_train_batch_size=size,
            gradient_accumulation_steps=steps,
            max_steps=1,
            learning_rate=0.0,
            max_grad_norm=0.0,  # clipping would hide the size
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=examples,
        data_collator=default_data_collator,
        callbacks=[seen],
    )
    trainer.train()
    model.zero_grad()
    return seen.norm


def our_batch(examples: list[dict[str, torch.Tensor]]) -> Batch:
    """The same sequences, packed."""
    batch = pack([one["input_ids"].tolist() for one in examples])
    return replace(batch, labels={"mlm": torch.cat([one["labels"] for one in examples])})


def our_norm(model: Any, examples: list[dict[str, torch.Tensor]], size: int) -> float:
    model.zero_grad()
    ours.backward(
        model,
        MaskedLM(),
        [our_batch(examples[i : i + size]) for i in range(0, len(examples), size)],
    )
    return norm_of(model)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny instead of mini")
    parser.add_argument("--results", type=Path, default=measure.RESULTS)
    arguments = parser.parse_args()
    preset: Preset = "tiny" if arguments.quick else "mini"
    examples = masked_sequences()
    theirs = peer.model(preset, VOCAB_SIZE, dropout_rate=0.0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        theirs.save_pretrained(folder / "model")
        tokenizer = peer.tokenizer(material.tokenizer_folder(VOCAB_SIZE))
        tokenizer.save_pretrained(folder / "model")
        mine = native.load(folder / "model").model.train()
        norms = {
            name: {
                "theirs": their_norm(theirs.train(), examples, size, steps, folder / "run"),
                "ours": our_norm(mine, examples, size),
            }
            for name, (size, steps) in SPLITS.items()
        }
    settings = {"preset": preset, "sequences": NUM_SEQUENCES, "sequence_length": SEQUENCE_LENGTH}
    result = {"settings": settings, "gradient_norms": norms}
    measure.keep("numerics", result, arguments.results)


if __name__ == "__main__":
    main()
