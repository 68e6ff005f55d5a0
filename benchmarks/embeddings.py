"""Sentence embeddings against sentence-transformers: encoding, training, and large batches.

Encoding: 2,000 texts of mixed length (sentences of STS-B, abstracts of SciFact) by all-MiniLM-L6-v2
in fp32, tokenizing included; theirs is `SentenceTransformer.encode` with its own batches of 32.

Training: steps of multiple negatives ranking by all-MiniLM-L6-v2, 64 pairs, dropout 0.1, fused
AdamW: neighbouring paragraphs of novels, whose lengths vary (up to 256 tokens), and titles with
abstracts of SciFact, nearly all of which are cut at 128. Theirs is the loss in the loop of its
Trainer, batches padded to their longest by its collator, which tokenizes them too; ours is the
training loop's own step, whose texts were tokenized once before.

Large batches: one step of 1,024 pairs with a pretraining preset's mini encoder, in chunks; theirs
is CachedMultipleNegativesRankingLoss with mini-batches of 32. Time, and peak memory above what the
process held; that both have the gradient of the large batch is tests/parity/test_large_batches.py.

Each side lives in a process of its own, and they take turns. A figure counts texts or pairs.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import material
import measure
import numpy as np
import task_material
import torch
from torch import nn

NUM_TEXTS = 2000
BATCH = 64
LARGE = 1024
CHUNK = 32
MICRO_BATCH = 2048
"""Tokens, where a large batch is cut."""
VOCABULARY = 30_522
LEAST_WORDS = 5
Figures = dict[str, Any]


def texts() -> list[str]:
    """Short and long ones in turns."""
    data = task_material.data()
    with (data / "stsb" / "stsb-en-test.csv").open(encoding="utf-8", newline="") as file:
        short = [row[0] for row in csv.reader(file)]
    long = [f"{title}. {text}" for title, text in _abstracts()]
    found = [one for both in zip(short, long, strict=False) for one in both]
    return found[:NUM_TEXTS]


@dataclass(frozen=True)
class Pairs:
    """What is learned from."""

    find: Callable[[], list[tuple[str, str]]]
    longest: int
    """Tokens read of a text."""


def titles() -> list[tuple[str, str]]:
    """Titles with their abstracts, all different."""
    return list(dict.fromkeys(_abstracts()))


def paragraphs() -> list[tuple[str, str]]:
    """Neighbouring paragraphs of three novels, of any length above five words."""
    found: list[tuple[str, str]] = []
    for book in material.books()[:3]:
        text = book.read_text(encoding="utf-8", errors="replace")
        blocks = [" ".join(block.split()) for block in text.split("\n\n")]
        kept = [block for block in blocks if len(block.split()) > LEAST_WORDS]
        found += list(zip(kept[::2], kept[1::2], strict=False))
    return list(dict.fromkeys(found))


TITLES_OF = Pairs(titles, 128)
PARAGRAPHS = Pairs(paragraphs, 256)


def _abstracts() -> list[tuple[str, str]]:
    file = task_material.data() / "scifact" / "corpus.jsonl.gz"
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [(row["title"], row["text"]) for row in rows if row["title"] and row["text"]]


# --- encoding


def our_encoding() -> Callable[[], int]:
    import unmask

    engine, some = unmask.load(task_material.model()), texts()
    return lambda: len(engine.encode(some))


def their_encoding() -> Callable[[], int]:
    from sentence_transformers import SentenceTransformer

    model, some = SentenceTransformer(str(task_material.model()), device="cpu"), texts()
    return lambda: len(model.encode(some))


# --- training


def our_training(learned: Pairs) -> Callable[[], int]:
    return _our_steps(task_material.model(), learned, BATCH, dropout=0.1)


def their_training(learned: Pairs) -> Callable[[], int]:
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    return _their_steps(task_material.model(), learned, BATCH, 0.1, MultipleNegativesRankingLoss)


def our_large() -> Callable[[], int]:
    return _our_steps(mini(), TITLES_OF, LARGE, dropout=0.0, micro_batch_tokens=MICRO_BATCH)


def their_large() -> Callable[[], int]:
    from sentence_transformers.sentence_transformer.losses import (
        CachedMultipleNegativesRankingLoss,
    )

    return _their_steps(
        mini(),
        TITLES_OF,
        LARGE,
        0.0,
        lambda model: CachedMultipleNegativesRankingLoss(model, mini_batch_size=CHUNK),
    )


def mini() -> Path:
    """A mini encoder with random weights under MiniLM's vocabulary."""
    folder = material.WORK / "mini-encoder"
    if not (folder / "config.json").is_file():
        from transformers import AutoTokenizer, BertConfig, BertModel

        from unmask.models.config import PRESETS

        torch.manual_seed(0)
        sizes: dict[str, Any] = dict(PRESETS["mini"])
        BertModel(BertConfig(vocab_size=VOCABULARY, **sizes)).save_pretrained(folder)
        AutoTokenizer.from_pretrained(task_material.model()).save_pretrained(folder)
    return folder


def _our_steps(
    folder: Path,
    learned: Pairs,
    batch_size: int,
    *,
    dropout: float,
    micro_batch_tokens: int | None = None,
) -> Callable[[], int]:
    from unmask.checkpoint import native
    from unmask.data.labelled.examples import EmbeddingExample
    from unmask.data.loader import Cursor, step_batches
    from unmask.data.planned import PlannedSource
    from unmask.nn.dropout import Dropout
    from unmask.nn.memory import keep_freed_memory
    from unmask.recipe.beginning import kept_tokens
    from unmask.tasks.embedding import Embedding
    from unmask.tasks.embedding_config import EmbeddingConfig
    from unmask.tasks.sentence import HEAD, build
    from unmask.tasks.siamese import Siamese
    from unmask.tasks.task import Model
    from unmask.train import coupled
    from unmask.train.config import FinetuningOptimConfig
    from unmask.train.distributed import World
    from unmask.train.gradients import clip
    from unmask.train.optim import Optimizers
    from unmask.train.row_adamw import look_up_sparsely

    keep_freed_memory()
    bundle = native.load(folder)
    for part in bundle.model.modules():
        if isinstance(part, Dropout):
            part.rate = dropout
    some = [EmbeddingExample(str(i), pair, None, "") for i, pair in enumerate(learned.find())]
    task = Embedding.begin(EmbeddingConfig(max_length=learned.longest, pooling=("mean",)), some)
    task = task.standing_on(None, bundle.config.hidden_size)
    head = build(task.config, bundle.config.hidden_size)
    model = Siamese(Model(bundle.model.encoder, {HEAD: head}), task.losses).train()
    groups = task.groups(some, bundle.require_tokenizer(), bundle.max_length)
    source, world = PlannedSource(groups, batch_size), World(0, 1, torch.device("cpu"))
    look_up_sparsely(model)
    optimizers = Optimizers(model, FinetuningOptimConfig(learning_rate=2e-5))
    cursor, most = Cursor(), micro_batch_tokens or kept_tokens(bundle.config)

    def step() -> int:
        nonlocal cursor
        batches, cursor = step_batches(
            source,
            cursor,
            batch_size=batch_size,
            micro_batch_tokens=most,
            seed=0,
            transform=lambda batch, *_: batch,
        )
        coupled.backward(model, task, batches, world, is_half=False)
        clip(model.parameters(), 1.0)
        optimizers.step(1.0)
        optimizers.zero_grad()
        return batch_size

    return step


def _their_steps(
    folder: Path,
    learned: Pairs,
    batch_size: int,
    dropout: float,
    make_loss: Callable[[Any], nn.Module],
) -> Callable[[], int]:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules
    from sentence_transformers.sentence_transformer.data_collator import (
        SentenceTransformerDataCollator,
    )

    rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    encoder = modules.Transformer(str(folder), max_seq_length=learned.longest, config_kwargs=rates)
    pooling = modules.Pooling(encoder.get_embedding_dimension(), "mean")
    model = SentenceTransformer(modules=[encoder, pooling], device="cpu").train()
    loss = make_loss(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5, weight_decay=0.01, fused=True)
    collate = SentenceTransformerDataCollator(preprocess_fn=model.preprocess)
    incoming = _shuffled(learned.find(), batch_size)

    def step() -> int:
        rows = [{"anchor": a, "positive": b} for a, b in next(incoming)]
        batch = collate(rows)
        columns = ("anchor", "positive")
        features = [
            {
                name.removeprefix(f"{column}_"): value
                for name, value in batch.items()
                if name.startswith(f"{column}_")
            }
            for column in columns
        ]
        loss(features, None).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return batch_size

    return step


def _shuffled(some: list[tuple[str, str]], batch_size: int) -> Iterator[list[tuple[str, str]]]:
    draw = np.random.default_rng(0)
    while True:
        order = draw.permutation(len(some)).tolist()
        for start in range(0, len(order) - batch_size + 1, batch_size):
            yield [some[i] for i in order[start : start + batch_size]]


WORK = {
    "encoding": {"ours": our_encoding, "theirs": their_encoding},
    "varying": {
        "ours": lambda: our_training(PARAGRAPHS),
        "theirs": lambda: their_training(PARAGRAPHS),
    },
    "nearly equal": {
        "ours": lambda: our_training(TITLES_OF),
        "theirs": lambda: their_training(TITLES_OF),
    },
    "large": {"ours": our_large, "theirs": their_large},
}
TITLES = {
    "encoding": "2,000 texts encoded, fp32",
    "varying": "training step, multiple negatives ranking, 64 pairs of paragraphs",
    "nearly equal": "training step, multiple negatives ranking, 64 titles and abstracts",
    "large": "one step of 1,024 pairs, mini, in chunks",
}


def compare(arguments: argparse.Namespace, what: str) -> Figures:
    """Texts or pairs per second of both, and the median of the rounds' ratios."""
    workers = {side: _worker(arguments, what, side) for side in WORK[what]}
    rates: dict[str, list[float]] = {side: [] for side in workers}
    for _ in range(arguments.rounds):
        for side, worker in workers.items():
            rates[side].append(worker.ask({"steps": arguments.steps[what]})["per_second"])
    for worker in workers.values():
        worker.close()
    ratios = [a / b for a, b in zip(rates["ours"], rates["theirs"], strict=True)]
    return {
        "per_second": {side: measure.spread(found) for side, found in rates.items()},
        "ratio": measure.spread(ratios),
    }


def memory(arguments: argparse.Namespace, what: str) -> Figures:
    """Peak memory of one step of each side in a fresh process."""
    peaks: Figures = {}
    for side in WORK[what]:
        worker = _worker(arguments, what, side, warm=0)
        peaks[side] = worker.ask({"steps": 1, "memory": True})["megabytes"]
        worker.close()
    return {"megabytes": peaks, "ratio": peaks["ours"]["above"] / peaks["theirs"]["above"]}


def _worker(arguments: argparse.Namespace, what: str, side: str, warm: int = 1) -> measure.Worker:
    worker = measure.Worker("embeddings.py", "--worker", "--threads", str(arguments.threads))
    worker.ask({"what": what, "side": side, "warm": warm})
    return worker


def serve() -> None:
    """A worker: told what to do, then how often, it answers with the rate or the memory."""
    work: Callable[[], int] | None = None
    for line in sys.stdin:
        order = json.loads(line)
        answer: Figures = {}
        if work is None:
            work = WORK[order["what"]][order["side"]]()
            for _ in range(order["warm"]):
                work()
        elif order.get("memory"):
            answer["megabytes"] = measure.peak_above_now(work, order["steps"])
        else:
            started = time.perf_counter()
            number = sum(work() for _ in range(order["steps"]))
            answer["per_second"] = number / (time.perf_counter() - started)
        print(json.dumps(answer), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=WORK, default=list(WORK))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--results", type=Path, default=measure.RESULTS)
    arguments = parser.parse_args()
    arguments.steps = {"encoding": 1, "varying": 2, "nearly equal": 2, "large": 1}
    if arguments.quick:
        arguments.rounds = 1
    torch.set_num_threads(arguments.threads)
    if arguments.worker:
        serve()
        return
    mini()
    result: Figures = {"settings": {"threads": arguments.threads, "rounds": arguments.rounds}}
    for what in arguments.only:
        result[what] = {"title": TITLES[what], **compare(arguments, what)}
        print(f"{what}: {result[what]['ratio']['median']:.2f}", file=sys.stderr)
        if what != "encoding":
            result[what]["memory"] = memory(arguments, what)
    measure.keep("embeddings", result, arguments.results)


if __name__ == "__main__":
    main()
