"""One MLM training step against transformers: tokens per second, and peak memory.

Both sides: fused AdamW, clipping at 1.0, 15 % of the tokens masked, sequences of 128, 32 a step,
fp32, the same text and vocabulary. Our time includes drawing, packing and masking the batch;
theirs includes making the records from arrays in memory, which costs less than reading them from
datasets' Arrow files, and DataCollatorForLanguageModeling. Each side lives in a process of its
own, so that neither sees the other's memory settings; they take turns, one waiting while the other
works.

Peak memory is that of a fresh process that only takes steps of one side: the greatest resident
size during the steps (VmHWM, set back before them) less the resident size after the model and the
data were built. Optimizer state and gradients are made by the steps, so they count.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import material
import measure
import torch

from unmask.data.shards import Shards
from unmask.models.config import Preset
from unmask.text.tokenizer import Tokenizer
from unmask.train.config import PretrainingConfig

SEQUENCE_LENGTH = 128
BATCH_SIZE = 32
LEARNING_RATE = 1e-4
MEGABYTES = 12.0


def shards(vocab_size: int) -> Shards:
    """A few million tokens of real text."""
    part = f"{MEGABYTES:g}mb"
    paths = material.cut(material.split_books()[0], MEGABYTES, material.WORK / f"text-{part}")
    return material.corpus(vocab_size, part, paths)


def our_step(preset: Preset, vocab_size: int, dropout_rate: float) -> Callable[[], int]:
    import ours

    text = shards(vocab_size)
    incoming = ours.batches(
        material.chunks(text, SEQUENCE_LENGTH),
        Tokenizer.load(text.tokenizer_folder),
        BATCH_SIZE,
        PretrainingConfig().micro_batch_tokens,
        seed=0,
    )
    built = ours.model(ours.config(preset, vocab_size, dropout_rate))
    return ours.Step(built, LEARNING_RATE, incoming)


def their_step(preset: Preset, vocab_size: int, dropout_rate: float) -> Callable[[], int]:
    import peer

    text = shards(vocab_size)
    incoming = peer.batches(
        peer.grouped(text, SEQUENCE_LENGTH), text.tokenizer_folder, BATCH_SIZE, seed=0
    )
    return peer.Step(peer.model(preset, vocab_size, dropout_rate), LEARNING_RATE, incoming)


Figures = dict[str, Any]
SIDES = {"ours": our_step, "theirs": their_step}


def speed(arguments: argparse.Namespace, vocab_size: int, dropout_rate: float) -> Figures:
    """Tokens per second of both, and the median of the rounds' ratios."""
    workers = {
        side: measure.Worker("training_step.py", *_options(arguments, vocab_size, dropout_rate))
        for side in SIDES
    }
    for side, worker in workers.items():
        worker.ask({"side": side})
    answers: dict[str, list[Figures]] = {side: [] for side in SIDES}
    for _ in range(arguments.rounds):
        for side, worker in workers.items():
            answers[side].append(worker.ask({"steps": arguments.steps}))
    for worker in workers.values():
        worker.close()
    return {
        **_compared(answers, "tokens_per_second", "ratio"),
        # Of one thread, this changes less when the machine is busy with something else.
        **_compared(answers, "tokens_per_cpu_second", "cpu_ratio"),
    }


def _compared(answers: dict[str, list[Figures]], figure: str, ratio: str) -> Figures:
    rates = {side: [answer[figure] for answer in given] for side, given in answers.items()}
    ratios = [a / b for a, b in zip(rates["ours"], rates["theirs"], strict=True)]
    spreads = {side: measure.spread(figures) for side, figures in rates.items()}
    return {figure: spreads, ratio: measure.spread(ratios)}


def memory(arguments: argparse.Namespace, vocab_size: int, dropout_rate: float) -> Figures:
    """Peak memory of each side in a process of its own, and the ratio."""
    peaks: Figures = {}
    for side in SIDES:
        options = _options(arguments, vocab_size, dropout_rate)
        worker = measure.Worker("training_step.py", *options)
        worker.ask({"side": side, "warmup_steps": 0})
        peaks[side] = worker.ask({"steps": arguments.steps, "memory": True})["megabytes"]
        worker.close()
    return {"megabytes": peaks, "ratio": peaks["ours"]["above"] / peaks["theirs"]["above"]}


def _options(arguments: argparse.Namespace, vocab_size: int, dropout_rate: float) -> list[str]:
    options = {
        "--preset": arguments.preset,
        "--threads": arguments.threads,
        "--vocab-sizes": vocab_size,
        "--dropout-rates": dropout_rate,
    }
    return ["--worker", *(str(part) for option in options.items() for part in option)]


def serve(preset: Preset, vocab_size: int, dropout_rate: float) -> None:
    """A worker: told a side, then to take steps, it answers with the time or the memory."""
    take_step: Callable[[], int] | None = None
    for line in sys.stdin:
        order = json.loads(line)
        answer: Figures = {}
        if take_step is None:
            take_step = SIDES[order["side"]](preset, vocab_size, dropout_rate)
            for _ in range(order.get("warmup_steps", 2)):
                take_step()
        elif order.get("memory"):
            answer["megabytes"] = measure.peak_above_now(take_step, order["steps"])
        else:
            started = time.perf_counter(), time.process_time()
            num_tokens = sum(take_step() for _ in range(order["steps"]))
            answer["tokens_per_second"] = num_tokens / (time.perf_counter() - started[0])
            answer["tokens_per_cpu_second"] = num_tokens / (time.process_time() - started[1])
        print(json.dumps(answer), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="mini")
    parser.add_argument("--vocab-sizes", type=int, nargs="+", default=[30522, 8192])
    parser.add_argument("--dropout-rates", type=float, nargs="+", default=[0.1, 0.0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=5, help="a round")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--results", type=Path, default=measure.RESULTS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.preset, arguments.rounds, arguments.steps = "tiny", 2, 1
        arguments.vocab_sizes, arguments.dropout_rates = [8192], [0.1]
    return arguments


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    if arguments.worker:
        serve(arguments.preset, arguments.vocab_sizes[0], arguments.dropout_rates[0])
        return
    comparisons = []
    for vocab_size in arguments.vocab_sizes:
        shards(vocab_size)  # prepared before either side starts
        for rate in arguments.dropout_rates:
            compared = speed(arguments, vocab_size, rate)
            compared["memory"] = memory(arguments, vocab_size, rate)
            comparisons.append({"vocab_size": vocab_size, "dropout_rate": rate, **compared})
    settings = {
        name: getattr(arguments, name) for name in ("preset", "threads", "rounds", "steps")
    } | {
        "sequence_length": SEQUENCE_LENGTH,
        "batch_size": BATCH_SIZE,
        "our_micro_batch_tokens": PretrainingConfig().micro_batch_tokens,
    }
    result = {"settings": settings, "comparisons": comparisons}
    measure.keep("training_step", result, arguments.results)


if __name__ == "__main__":
    main()
