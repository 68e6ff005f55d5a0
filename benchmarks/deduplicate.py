"""Duplicates among 100,000 sentences, from vectors that are there, against sentence-transformers.

The sentences are those of the books, every few of all, with a twentieth of near copies (letters
swapped, a word left out or added, the last mark missing), in random order; their vectors are
all-MiniLM-L6-v2's, made once by sentence-transformers and kept under build/.

Theirs is `util.paraphrase_mining_embeddings` with its defaults (100 neighbours, 500,000 pairs),
whose pairs from the threshold on are the duplicates. Ours are `deduplicate`, which groups the
texts, by both linkages, and `paraphrases`, which gives the same pairs as theirs. Each side lives in
a process of its own and is given the vectors in memory; they take turns.

Recall is the share of their pairs from the threshold on whose texts are in one group of ours (of
`paraphrases`: the share of all their pairs that are ours). Peak memory is that of the work alone,
above what the process held with the vectors.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import material
import measure
import numpy as np
import task_material
import torch

Figures = dict[str, Any]
NUM_TEXTS = 100_000
COPIES = 0.05
"""Share of the texts that are near copies of others."""
FEWEST_WORDS, MOST_WORDS = 5, 40
THRESHOLD = 0.95
WORKS = ("theirs", "deduplicate", "star", "paraphrases")


def sentences() -> list[str]:
    """Every sentence of the books once, of moderate length."""
    from unmask.data.sentences import split_in_parts

    found: dict[str, None] = {}
    for path in material.books():
        text = path.read_text(encoding="utf-8", errors="ignore")
        for part in split_in_parts(text, 4096):
            for sentence in part:
                words = sentence.split()
                if FEWEST_WORDS <= len(words) <= MOST_WORDS:
                    found.setdefault(" ".join(words))
    return list(found)


def nearly(text: str, chance: random.Random) -> str:
    """The text as somebody else might have it."""
    words = text.split()
    kind = chance.randrange(4)
    if kind == 0:
        at = max(range(len(words)), key=lambda i: len(words[i]))
        word, half = words[at], len(words[at]) // 2
        words[at] = word[: half - 1] + word[half] + word[half - 1] + word[half + 1 :]
        return " ".join(words)
    if kind == 1:
        return text.rstrip(".!?\"'”’")
    if kind == 2:
        return f"{text} Indeed."
    return " ".join(words[1:]) if len(words) > 8 else f"{text.upper()}!"


def texts(number: int) -> list[str]:
    """So many sentences, a share of which are near copies of others."""
    everything = sentences()
    own = number - round(COPIES * number)
    if len(everything) < own:
        raise SystemExit(f"only {len(everything)} sentences: set UNMASK_DATA to real data")
    chosen = everything[:: len(everything) // own][:own]
    chance = random.Random(0)
    chosen += [nearly(chosen[i], chance) for i in chance.sample(range(own), number - own)]
    return chance.sample(chosen, number)


def vectors(number: int) -> Path:
    """The file of their vectors, (N, 384) float32 of length 1."""
    file = material.WORK / f"sentences-{number}.npy"
    if not file.is_file():
        os.environ["HF_HUB_OFFLINE"] = "1"
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(task_material.model()), device="cpu")
        made = model.encode(texts(number), batch_size=64, normalize_embeddings=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, made)
    return file


def work_of(name: str, file: Path, threshold: float) -> Callable[[], Figures]:
    """What is timed; gives the pairs or the groups that it found."""
    given = np.load(file)
    if name == "theirs":
        from sentence_transformers.util import paraphrase_mining_embeddings

        tensor = torch.from_numpy(given)
        return lambda: {"pairs": paraphrase_mining_embeddings(tensor)}
    if name == "paraphrases":
        from unmask.search.paraphrases import paraphrases

        return lambda: {"pairs": paraphrases(given)}
    from unmask.search.comparing_config import DeduplicateConfig
    from unmask.search.deduplicate import deduplicate

    linkage = "star" if name == "star" else "single"
    config = DeduplicateConfig.model_validate({"threshold": threshold, "linkage": linkage})
    return lambda: {"groups": deduplicate(given, config).representative}


def serve(file: Path, threshold: float) -> None:
    """A worker: told a work, then to do it, it answers with the time, or the peak memory."""
    work: Callable[[], Figures] | None = None
    for line in sys.stdin:
        order = json.loads(line)
        answer: Figures = {}
        if work is None:
            work = work_of(order["work"], file, threshold)
        elif order.get("memory"):
            answer["megabytes"] = measure.peak_above_now(work, 1)
        else:
            started = time.perf_counter(), time.process_time()
            found = work()
            answer["seconds"] = time.perf_counter() - started[0]
            answer["cpu_seconds"] = time.process_time() - started[1]
            keep(found, Path(order["output"]))
        print(json.dumps(answer), flush=True)


def keep(found: Figures, output: Path) -> None:
    """What was found, for recall."""
    if "groups" in found:
        np.savez(output, groups=found["groups"])
    elif isinstance(found["pairs"], list):
        scores, i, j = (np.array(column) for column in zip(*found["pairs"], strict=True))
        np.savez(output, i=i, j=j, scores=scores)
    else:
        np.savez(output, **found["pairs"]._asdict())


def compare(arguments: argparse.Namespace) -> Figures:
    """Seconds of each work in turns, ratios to theirs of the same round, recall, and memory."""
    vectors(arguments.texts)  # made before any side starts
    options = ["--worker", "--texts", str(arguments.texts), "--threshold", str(arguments.threshold)]
    options += ["--threads", str(arguments.threads)]
    workers = {name: measure.Worker("deduplicate.py", *options) for name in WORKS}
    for name, worker in workers.items():
        worker.ask({"work": name})
    outputs = {name: str(material.WORK / f"found-{name}.npz") for name in WORKS}
    answers: dict[str, list[Figures]] = {name: [] for name in WORKS}
    for _ in range(arguments.rounds):
        for name, worker in workers.items():
            answers[name].append(worker.ask({"output": outputs[name]}))
    memory = {name: worker.ask({"memory": True})["megabytes"] for name, worker in workers.items()}
    for worker in workers.values():
        worker.close()
    seconds = {name: [one["seconds"] for one in given] for name, given in answers.items()}
    found = {name: dict(np.load(output)) for name, output in outputs.items()}
    return {
        "seconds": {name: measure.spread(figures) for name, figures in seconds.items()},
        "ratio": {
            name: measure.spread([a / b for a, b in zip(seconds["theirs"], figures, strict=True)])
            for name, figures in seconds.items()
            if name != "theirs"
        },
        "cpu_seconds": {
            name: measure.spread([one["cpu_seconds"] for one in given])
            for name, given in answers.items()
        },
        "megabytes": memory,
        **recalls(found, arguments.threshold),
    }


def recalls(found: dict[str, Figures], threshold: float) -> Figures:
    """How many of their pairs ours found, and how many texts each way leaves out."""
    theirs = found["theirs"]
    close = theirs["scores"] >= threshold
    i, j = theirs["i"][close].astype(int), theirs["j"][close].astype(int)
    listed = {
        name: set(zip(one["i"].astype(int), one["j"].astype(int), strict=True))
        for name, one in found.items()
        if "i" in one
    }
    groups = {name: one["groups"] for name, one in found.items() if "groups" in one}
    return {
        "their_pairs": {"all": len(close), "from_threshold": int(close.sum())},
        "recall": {
            **{name: float((of[i] == of[j]).mean()) for name, of in groups.items()},
            "paraphrases": len(listed["theirs"] & listed["paraphrases"]) / len(listed["theirs"]),
        },
        "left_out": {name: int((of != np.arange(len(of))).sum()) for name, of in groups.items()},
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=NUM_TEXTS)
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--results", type=Path, default=measure.RESULTS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.texts, arguments.rounds = 1000, 1
    return arguments


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    if arguments.worker:
        serve(vectors(arguments.texts), arguments.threshold)
        return
    settings = {
        name: getattr(arguments, name) for name in ("texts", "threshold", "threads", "rounds")
    }
    result = {"settings": {**settings, "dimension": 384}, **compare(arguments)}
    measure.keep("deduplicate", result, arguments.results)


if __name__ == "__main__":
    main()
