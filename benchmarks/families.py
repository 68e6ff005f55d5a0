"""The families against transformers: hidden states, and training steps of masked language models.

MiniLM's shape (6 layers of 384, 12 heads, 1,536 inside) over a vocabulary of 30,522; a step is
forward, backward, clipping and fused AdamW in fp32. Lengths are all the same, 128 or 512, or
log-normal around a third of these, in random order. Theirs pads each batch to its longest
sequence and has its default attention (SDPA where it has one); both see the same sequences, masks
and dropout: 0.1, of ModernBERT none, as published. A figure counts real tokens. Each side lives in
a process of its own, and they take turns.

With `--only` the others' figures stay as an earlier run of the same settings found them, each with
its date. Peak memory is that of a fresh process that takes steps of one side, see
`measure.peak_above_now`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import measure
import numpy as np
import torch
from torch import Tensor, nn

VOCABULARY = 30_522
RATE = 0.15
TOKENS = 2048
"""A batch, if no sequence were shorter than the longest."""
SHAPES = {"128": (128, False), "512": (512, False), "8..128": (128, True), "8..512": (512, True)}
"""By name: the greatest length, and whether lengths vary."""
FAMILIES = ("bert", "roberta", "albert", "deberta-v2", "modernbert")
MODES = {"deberta-v2": ("training", "hidden states")}
"""Of a family; of the others training alone."""
_SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "pad_token_id": 0,
}
_OWN: dict[str, dict[str, Any]] = {
    "bert": {"intermediate_size": 1536},
    "roberta": {"intermediate_size": 1536, "max_position_embeddings": 514, "type_vocab_size": 1},
    "albert": {"intermediate_size": 1536, "embedding_size": 128},
    "deberta-v2": {
        "intermediate_size": 1536,
        "position_buckets": 256,
        "max_relative_positions": 512,
        "share_att_key": True,
        "pos_att_type": ["p2c", "c2p"],
        "relative_attention": True,
        "norm_rel_ebd": "layer_norm",
        "position_biased_input": False,
        "type_vocab_size": 0,
    },
    "modernbert": {"intermediate_size": 576},
}
Figures = dict[str, Any]


def sequences(shape: str, seed: int) -> Iterator[list[list[int]]]:
    """Batches of ids without end; 0 is their padding and nobody's token."""
    longest, varies = SHAPES[shape]
    draw = np.random.default_rng(seed)
    number = max(4, TOKENS // longest * (2 if varies else 1))
    while True:
        lengths = np.full(number, longest)
        if varies:
            lengths = np.exp(draw.normal(np.log(longest / 3), 0.6, number)).clip(8, longest)
        yield [draw.integers(5, VOCABULARY, int(n)).tolist() for n in lengths]


def picked(ids: list[list[int]], seed: int) -> list[list[int]]:
    """Labels of 15 % of the positions, -100 elsewhere."""
    draw = np.random.default_rng(seed)
    return [np.where(draw.random(len(row)) < RATE, row, -100).tolist() for row in ids]


def our_work(family: Any, shape: str, mode: str) -> Callable[[], int]:
    from unmask.batch import pack
    from unmask.checkpoint.assemble import assemble
    from unmask.models.config import CONFIGS
    from unmask.nn.init import initialise
    from unmask.tasks.masked_lm import MaskedLM

    config = CONFIGS[family].model_validate({**_SIZES, **_OWN[family]})
    if family == "albert":
        config = config.with_dropout(0.1)
    if family == "deberta-v2":  # theirs has no decoder of its own
        config = config.model_copy(update={"enhanced_mask_decoder": False})
    model = assemble(config, {"mlm"})
    initialise(model, 0.02, torch.Generator().manual_seed(0))
    incoming, task = sequences(shape, seed=0), MaskedLM()
    if mode == "hidden states":

        def read() -> int:
            batch = pack(next(incoming))
            with torch.inference_mode():
                model.eval().encoder(batch)
            return batch.num_tokens

        return read

    step = _stepped(model)

    def train() -> int:
        ids = next(incoming)
        labels = torch.tensor([label for row in picked(ids, 1) for label in row])
        batch = replace(pack(ids), labels={"mlm": labels})
        (term,) = task.loss(model(batch, task), batch)
        step(term.total / task.counts(batch)["mlm"])
        return batch.num_tokens

    return train


def their_work(family: str, shape: str, mode: str) -> Callable[[], int]:
    import transformers

    names = {
        "bert": "Bert",
        "roberta": "Roberta",
        "albert": "Albert",
        "deberta-v2": "DebertaV2",
        "modernbert": "ModernBert",
    }
    dropout = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    config = getattr(transformers, f"{names[family]}Config")(
        **_SIZES, **_OWN[family], **({} if family == "modernbert" else dropout)
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{names[family]}ForMaskedLM")(config)
    incoming = sequences(shape, seed=0)

    def padded(rows: list[list[int]], filler: int) -> Tensor:
        longest = max(map(len, rows))
        return torch.tensor([row + [filler] * (longest - len(row)) for row in rows])

    def inputs(ids: list[list[int]]) -> dict[str, Tensor]:
        return {
            "input_ids": padded(ids, 0),
            "attention_mask": padded([[1] * len(row) for row in ids], 0),
        }

    if mode == "hidden states":

        def read() -> int:
            ids = next(incoming)
            with torch.inference_mode():
                getattr(model.eval(), model.base_model_prefix)(**inputs(ids))
            return sum(map(len, ids))

        return read

    step = _stepped(model)

    def train() -> int:
        ids = next(incoming)
        step(model(**inputs(ids), labels=padded(picked(ids, 1), -100)).loss)
        return sum(map(len, ids))

    return train


def _stepped(model: nn.Module) -> Callable[[Tensor], None]:
    parameters = list(model.train().parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.01, fused=True)

    def step(loss: Tensor) -> None:
        loss.backward()
        loss.item()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


SIDES = {"ours": our_work, "theirs": their_work}


def compare(arguments: argparse.Namespace, family: str, shape: str, mode: str) -> Figures:
    """Real tokens per second of both, and the median of the rounds' ratios."""
    order = {"family": family, "shape": shape, "mode": mode}
    workers = {}
    for side in SIDES:
        workers[side] = measure.Worker(
            "families.py", "--worker", "--threads", str(arguments.threads)
        )
        workers[side].ask({"side": side, **order})
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(arguments.rounds):
        for side, worker in workers.items():
            rates[side].append(worker.ask({"steps": arguments.steps})["tokens_per_second"])
    for worker in workers.values():
        worker.close()
    ratios = [a / b for a, b in zip(rates["ours"], rates["theirs"], strict=True)]
    return {
        **order,
        "tokens_per_second": {side: measure.spread(found) for side, found in rates.items()},
        "ratio": measure.spread(ratios),
    }


def memory(arguments: argparse.Namespace, family: str, shape: str) -> Figures:
    """Peak memory of training steps, each side in a process of its own, and the ratio."""
    peaks: Figures = {}
    for side in SIDES:
        worker = measure.Worker("families.py", "--worker", "--threads", str(arguments.threads))
        worker.ask({"side": side, "family": family, "shape": shape, "mode": "training", "warm": 0})
        peaks[side] = worker.ask({"steps": 2, "memory": True})["megabytes"]
        worker.close()
    ratio = peaks["ours"]["above"] / peaks["theirs"]["above"]
    return {"family": family, "shape": shape, "megabytes": peaks, "ratio": ratio}


def serve() -> None:
    """A worker: told what to do, then how often, it answers with the rate or the memory."""
    work: Callable[[], int] | None = None
    for line in sys.stdin:
        order = json.loads(line)
        answer: Figures = {}
        if work is None:
            work = SIDES[order["side"]](order["family"], order["shape"], order["mode"])
            for _ in range(order.get("warm", 2)):
                work()
        elif order.get("memory"):
            answer["megabytes"] = measure.peak_above_now(work, order["steps"])
        else:
            started = time.perf_counter()
            num_tokens = sum(work() for _ in range(order["steps"]))
            answer["tokens_per_second"] = num_tokens / (time.perf_counter() - started)
        print(json.dumps(answer), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=FAMILIES, default=FAMILIES)
    parser.add_argument("--shapes", nargs="+", choices=tuple(SHAPES), default=tuple(SHAPES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1, help="a round")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--results", type=Path, default=measure.RESULTS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.steps, arguments.shapes = 2, 1, ("8..128",)
    return arguments


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    if arguments.worker:
        serve()
        return
    settings = {name: getattr(arguments, name) for name in ("threads", "rounds", "steps")}
    date = measure.machine()["date"]
    comparisons, peaks = others(arguments, settings)
    for family in arguments.only:
        for mode in MODES.get(family, ("training",)):
            for shape in arguments.shapes:
                found = {"date": date, **compare(arguments, family, shape, mode)}
                comparisons.append(found)
                print(f"{family}, {mode}, {shape}: {found['ratio']['median']:.2f}", file=sys.stderr)
    if "deberta-v2" in arguments.only:
        peaks = [memory(arguments, "deberta-v2", "512")]
    comparisons.sort(key=lambda one: FAMILIES.index(one["family"]))
    result = {"settings": settings, "comparisons": comparisons, "memory": peaks}
    measure.keep("families", result, arguments.results)


def others(arguments: argparse.Namespace, settings: Figures) -> tuple[list[Figures], list[Figures]]:
    """What an earlier run of the same settings found of the families that this one leaves out."""
    file = arguments.results / "families.json"
    before = json.loads(file.read_text()) if file.is_file() else {}
    if before.get("settings") != settings:
        return [], []
    found = [one for one in before["comparisons"] if one["family"] not in arguments.only]
    return found, before["memory"]


if __name__ == "__main__":
    main()
