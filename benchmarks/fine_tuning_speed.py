"""Fine-tuning and answering against transformers: real tokens per second, and peak memory.

Training steps at MiniLM's shape with its own dropout (0.1), 32 sequences a step, lengths of real
SST-2 sentences and SNLI pairs. Both sides have their examples encoded beforehand, and their time
includes drawing and packing, or padding, the batch; fused AdamW, clipping at 1. Only real tokens
count, not padding. Theirs pads each batch to its longest, shuffled or grouped by length as its
Trainer does (LengthGroupedSampler).

Prediction: the answers of an SST-2 classifier for a file of texts, one a line, from opening the
file to the last answer; theirs is its pipeline with batches of 32, in fp32 as ours is by default.
Ours in bfloat16 (`--precision bf16`) stands beside them.

Memory: the peak during training steps of question answering at windows of 384 tokens, above what
the process held before them. All sides live in processes of their own and take turns.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure
import task_material
import torch

BATCH_SIZE = 32
RATE = 5e-5
PAIRS = {"sst2": "SST-2, sentences", "snli": "SNLI, pairs"}
SIDES = {"training": ("ours", "theirs", "grouped"), "prediction": ("ours", "half", "theirs"),
         "memory": ("ours", "theirs")}  # fmt: skip
Figures = dict[str, Any]


def texts_file(number: int) -> Path:
    """Test texts of SST-2, one a line."""
    path = task_material.WORK / f"texts-{number}.txt"
    if not path.is_file():
        import peer_tasks

        rows = peer_tasks.records(task_material.files("sst2").path("test"))[:number]
        texts = [row["text"] for row in rows]
        path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def classifier() -> Path:
    """MiniLM under a head of two classes, as transformers writes it."""
    folder = task_material.WORK / "classifier"
    if not (folder / "config.json").is_file():
        import peer_tasks
        from transformers import AutoTokenizer

        torch.manual_seed(0)
        peer_tasks.model("classification", task_material.model(), ("0", "1")).save_pretrained(
            folder
        )
        AutoTokenizer.from_pretrained(task_material.model()).save_pretrained(folder)
    return folder


def work(what: str, side: str, data: str, number: int) -> Callable[[], int]:
    """What one side does again and again; gives how many tokens or texts it saw."""
    import fine_tuning_sides as sides

    if what == "prediction":
        given = classifier(), texts_file(number)
        if side == "theirs":
            return sides.their_answers(*given)
        return sides.our_answers(*given, precision="bf16" if side == "half" else "fp32")
    train = task_material.files(data).path("train")
    if side == "ours":
        return sides.our_step(data, train, BATCH_SIZE, RATE)
    return sides.their_step(data, train, BATCH_SIZE, RATE, grouped=side == "grouped")


def serve() -> None:
    """A worker: told what to do, then how often, it answers with the rate or the memory."""
    do: Callable[[], int] | None = None
    for line in sys.stdin:
        order = json.loads(line)
        answer: Figures = {}
        if do is None:
            do = work(order["what"], order["side"], order["data"], order["number"])
            for _ in range(order["warm"]):
                do()
        elif order.get("memory"):
            answer["megabytes"] = measure.peak_above_now(do, order["times"])
        else:
            started = time.perf_counter(), time.process_time()
            count = sum(do() for _ in range(order["times"]))
            answer["per_second"] = count / (time.perf_counter() - started[0])
            answer["per_cpu_second"] = count / (time.process_time() - started[1])
        print(json.dumps(answer), flush=True)


def speed(arguments: argparse.Namespace, what: str, data: str, times: int) -> Figures:
    """Rates of all sides, and the medians of ours over each other's, round by round."""
    workers = {side: _worker(arguments, what, side, data, warm=2) for side in SIDES[what]}
    answers: dict[str, list[Figures]] = {side: [] for side in workers}
    for _ in range(arguments.rounds):
        for side, worker in workers.items():
            answers[side].append(worker.ask({"times": times}))
    for worker in workers.values():
        worker.close()
    found: Figures = {}
    for figure, ratio in (("per_second", "ratio"), ("per_cpu_second", "cpu_ratio")):
        rates = {side: [one[figure] for one in given] for side, given in answers.items()}
        found[figure] = {side: measure.spread(some) for side, some in rates.items()}
        found[ratio] = {
            side: measure.spread([a / b for a, b in zip(rates["ours"], some, strict=True)])
            for side, some in rates.items()
            if side != "ours"
        }
        if "half" in rates:
            pairs = zip(rates["half"], rates["theirs"], strict=True)
            found[f"half_{ratio}"] = measure.spread([a / b for a, b in pairs])
    return found


def memory(arguments: argparse.Namespace) -> Figures:
    """The peak of each side in fresh processes, and the ratio of the medians."""
    peaks: dict[str, list[float]] = {side: [] for side in SIDES["memory"]}
    for _ in range(arguments.rounds):
        for side, found in peaks.items():
            worker = _worker(arguments, "memory", side, "squad2", warm=0)
            answer = worker.ask({"times": arguments.memory_steps, "memory": True})
            found.append(answer["megabytes"]["above"])
            worker.close()
    above = {side: measure.spread(found) for side, found in peaks.items()}
    return {"megabytes": above, "ratio": above["ours"]["median"] / above["theirs"]["median"]}


def _worker(
    arguments: argparse.Namespace, what: str, side: str, data: str, *, warm: int
) -> measure.Worker:
    options = ["--worker", "--threads", str(arguments.threads)]
    worker = measure.Worker("fine_tuning_speed.py", *options)
    worker.ask({"what": what, "side": side, "data": data, "number": arguments.texts, "warm": warm})
    return worker


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="a round")
    parser.add_argument("--memory-steps", type=int, default=3)
    parser.add_argument("--texts", type=int, default=1821, help="a round of prediction")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--results", type=Path, default=measure.RESULTS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.steps, arguments.memory_steps, arguments.texts = 1, 1, 1, 64
    torch.set_num_threads(arguments.threads)
    if arguments.worker:
        serve()
        return
    names = ("threads", "rounds", "steps", "memory_steps", "texts")
    result: Figures = {"settings": {name: getattr(arguments, name) for name in names}}
    if "training" in arguments.only:
        for data in PAIRS:
            task_material.files(data)  # written before either side starts
        result["training"] = {
            title: speed(arguments, "training", data, arguments.steps)
            for data, title in PAIRS.items()
        }
    if "prediction" in arguments.only:
        classifier(), texts_file(arguments.texts)
        result["prediction"] = speed(arguments, "prediction", "sst2", 1)
    if "memory" in arguments.only:
        task_material.files("squad2")
        result["memory"] = memory(arguments)
    measure.keep("fine_tuning_speed", result, arguments.results)


if __name__ == "__main__":
    main()
