"""Both sides of fine_tuning_speed.py, put together so that nothing but the work is measured.

Each side's functions import only what that side needs, since each lives in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import task_material
import torch
from torch import nn

DROPOUT = 0.1
NUM_QUESTIONS = 300
"""Questions that windows are made of; encoding more would only take longer."""
Work = Callable[[], int]


def our_step(data: str, train: Path, batch_size: int, rate: float) -> Work:
    """Steps of our own loop's parts: draw, pack, split, forward, backward, clip, AdamW."""
    from unmask.checkpoint import native
    from unmask.checkpoint.transfer import with_head
    from unmask.data.labelled.config import LabelledConfig
    from unmask.data.loader import Cursor, step_batches
    from unmask.data.rejects import Rejects
    from unmask.data.windows import WindowSource
    from unmask.nn.memory import keep_freed_memory
    from unmask.recipe.reproduce.datasets import DATA_SETS
    from unmask.tasks.registry import TASKS
    from unmask.train.config import FinetuningConfig, FinetuningOptimConfig
    from unmask.train.gradients import clip
    from unmask.train.optim import Optimizers
    from unmask.train.row_adamw import look_up_sparsely

    keep_freed_memory()
    dataset = DATA_SETS[data]
    kind = TASKS[dataset.task]
    with Rejects(0.0) as rejects:
        found = kind.read(train, LabelledConfig(), rejects)
        examples = list(islice(found, NUM_QUESTIONS) if dataset.task == "qa" else found)
    task = kind.begin(kind.config.model_validate(dict(dataset.settings)), examples)
    bundle = native.load(task_material.model())
    generator = torch.Generator().manual_seed(0)
    model = with_head(bundle, task.head, task.num_outputs, generator).model.train()
    encoded = task.encode(examples, bundle.require_tokenizer(), bundle.max_length)
    source = WindowSource([window for parts in encoded for window in parts])
    look_up_sparsely(model)
    optimizers = Optimizers(model, FinetuningOptimConfig(learning_rate=rate))
    config = FinetuningConfig()
    cursor = Cursor()

    def step() -> int:
        nonlocal cursor
        batches, cursor = step_batches(
            source,
            cursor,
            batch_size=batch_size,
            micro_batch_tokens=config.micro_batch_tokens,
            seed=0,
            transform=lambda batch, *_: batch,
        )
        counts = [task.counts(batch) for batch in batches]
        totals = {name: sum(count[name] for count in counts) for name in counts[0]}
        for batch in batches:
            terms = task.loss(model(batch, task), batch)
            parts = [term.weight * term.total / totals[term.name] for term in terms]
            loss = torch.stack(parts).sum()
            loss.backward()
            loss.item()
        clip(model.parameters(), 1.0)
        optimizers.step(1.0)
        optimizers.zero_grad()
        return sum(batch.num_tokens for batch in batches)

    return step


def their_step(data: str, train: Path, batch_size: int, rate: float, *, grouped: bool) -> Work:
    """Steps of transformers' model on batches padded to their longest sequence."""
    import peer_tasks
    from torch.utils.data import DataLoader
    from transformers import AutoTokenizer
    from transformers.trainer_pt_utils import LengthGroupedSampler

    from unmask.recipe.reproduce.datasets import DATA_SETS

    task = DATA_SETS[data].task
    some = peer_tasks.records(train)
    some = some[:NUM_QUESTIONS] if task == "qa" else some
    labels = [] if task == "qa" else sorted({one["label"] for one in some})
    tokenizer = AutoTokenizer.from_pretrained(task_material.model())
    found = peer_tasks.features(task, some, tokenizer, labels)
    torch.manual_seed(0)
    rates = {"hidden_dropout_prob": DROPOUT, "attention_probs_dropout_prob": DROPOUT}
    model = peer_tasks.model(task, task_material.model(), labels, **rates).train()
    parameters = list(model.parameters())
    groups = peer_tasks.parameter_groups(model, 0.01)
    optimizer = torch.optim.AdamW(groups, lr=rate, fused=True)
    order = torch.randperm(len(found)).tolist()
    if grouped:
        lengths = [len(one["input_ids"]) for one in found]
        order = list(LengthGroupedSampler(batch_size, lengths=lengths))
    members = [order[i : i + batch_size] for i in range(0, len(found) - batch_size + 1, batch_size)]
    # Groups begin with their longest batch; a few steps of a round should be as any others.
    shuffled = [members[i] for i in torch.randperm(len(members)).tolist()]
    collate = peer_tasks.COLLATORS[task](tokenizer)
    of_tasks: Any = found  # any list is a data set there
    batches = _endless(DataLoader(of_tasks, batch_sampler=shuffled, collate_fn=collate))

    def step() -> int:
        batch = next(batches)
        loss = model(**batch).loss
        loss.backward()
        loss.item()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return int(batch["attention_mask"].sum())

    return step


def _endless(loader: Any) -> Iterator[dict[str, torch.Tensor]]:
    while True:
        yield from loader


def our_answers(model: Path, texts: Path, precision: Literal["fp32", "bf16"]) -> Work:
    """As `unmask predict --input --precision` does."""
    from unmask.data.labelled.config import LabelledConfig
    from unmask.data.rejects import Rejects
    from unmask.infer.asking import answers
    from unmask.infer.engine import load
    from unmask.infer.files import examples_of

    bundle = load(model, precision=precision).bundle

    def predict() -> int:
        named = examples_of(bundle, texts, LabelledConfig(), Rejects(0.0))
        return sum(1 for _ in answers(bundle, (example for _, example in named)))

    return predict


def their_answers(model: Path, texts: Path) -> Work:
    """transformers' pipeline, with the lines of the file."""
    from transformers import pipeline

    asked = pipeline("text-classification", model=str(model), device="cpu", top_k=None)

    def predict() -> int:
        lines = texts.read_text(encoding="utf-8").splitlines()
        return len(asked(lines, batch_size=32, truncation=True))

    return predict
