"""Text to a corpus ready to train on: `unmask.data.prepare` against datasets.map + group_texts.

Each side runs in a fresh interpreter, so imports count. Theirs is what run_mlm does: the text
loader, one map that tokenizes, one that joins and cuts into blocks, BertTokenizerFast, 2 processes,
an empty cache. Ours reads the same files into packed shards as `unmask corpus` does by default,
with one encoding thread beside the reader; blocks are cut when a batch is asked for.

Peak memory is that of the whole process tree, shared pages counted in parts (PSS), sampled about
every 50 ms. Both the peak itself and what it adds to the memory after the imports are kept.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from itertools import chain
from pathlib import Path
from typing import Any

import measure

SAMPLING_SECONDS = 0.05
SEQUENCE_LENGTH = 128
PROCESSES = 2
VOCAB_SIZE = 30522


def ours(text: list[str], tokenizer: Path, output: Path) -> None:
    from unmask.data.config import CorpusConfig
    from unmask.data.prepare import prepare
    from unmask.text.tokenizer import Tokenizer

    print("imported", flush=True)
    prepare(text, Tokenizer.load(tokenizer), output, CorpusConfig())


def theirs(text: list[str], tokenizer: Path, output: Path) -> None:
    """transformers' examples/pytorch/language-modeling/run_mlm.py, without its argument parsing."""
    os.environ |= {"HF_DATASETS_CACHE": str(output / "cache"), "HF_HUB_OFFLINE": "1"}
    from datasets import load_dataset
    from transformers import AutoTokenizer

    print("imported", flush=True)
    fast = AutoTokenizer.from_pretrained(tokenizer)

    def tokenize(examples: dict[str, Any]) -> Any:
        return fast(examples["text"], return_special_tokens_mask=True)

    def group_texts(examples: dict[str, Any]) -> dict[str, Any]:
        joined = {name: list(chain(*examples[name])) for name in examples}
        total = len(joined["input_ids"]) // SEQUENCE_LENGTH * SEQUENCE_LENGTH
        return {
            name: [ids[i : i + SEQUENCE_LENGTH] for i in range(0, total, SEQUENCE_LENGTH)]
            for name, ids in joined.items()
        }

    raw = load_dataset("text", data_files=text, split="train")
    tokenized = raw.map(tokenize, batched=True, num_proc=PROCESSES, remove_columns=["text"])
    tokenized.map(group_texts, batched=True, num_proc=PROCESSES)


SIDES = {"ours": ours, "theirs": theirs}


def run(side: str, text: list[Path], tokenizer: Path) -> dict[str, float]:
    """Seconds and peak memory of one side in a fresh process tree."""
    output = Path(tempfile.mkdtemp(prefix="preparation-"))
    listing = output / "text.list"
    listing.write_text("\n".join(map(str, text)))
    command = [sys.executable, __file__, "--side", side, "--text", str(listing)]
    command += ["--tokenizer", str(tokenizer), "--output", str(output / "corpus")]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peaks: list[float] = []
    watcher = threading.Thread(target=_watch, args=(process, peaks))
    watcher.start()
    assert process.stdout is not None
    process.stdout.readline()
    imported = measure.tree_megabytes(process.pid, proportional=True)
    if process.wait() != 0:
        raise RuntimeError(f"{side} ended with code {process.returncode}")
    seconds = time.perf_counter() - started
    watcher.join()
    shutil.rmtree(output)
    return {"seconds": seconds, "peak": max(peaks), "above_imports": max(peaks) - imported}


def _watch(process: subprocess.Popen[str], peaks: list[float]) -> None:
    while process.poll() is None:
        peaks.append(measure.tree_megabytes(process.pid, proportional=True))
        time.sleep(SAMPLING_SECONDS)


def compare(megabytes: float, rounds: int) -> dict[str, Any]:
    import material

    folder = material.WORK / f"text-{megabytes:g}mb"
    text = material.cut(material.books(), megabytes, folder)
    tokenizer = material.tokenizer_folder(VOCAB_SIZE)
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side, figures in runs.items():
            figures.append(run(side, text, tokenizer))
    sides = {
        side: {name: measure.spread([one[name] for one in figures]) for name in figures[0]}
        for side, figures in runs.items()
    }
    return {
        "megabytes": sum(path.stat().st_size for path in text) / 1e6,
        **sides,
        "speed_ratio": sides["theirs"]["seconds"]["median"] / sides["ours"]["seconds"]["median"],
        "memory_ratio": sides["ours"]["peak"]["median"] / sides["theirs"]["peak"]["median"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=50.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--results", type=Path, default=measure.RESULTS)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--text", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--tokenizer", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        text = arguments.text.read_text().splitlines()
        SIDES[arguments.side](text, arguments.tokenizer, arguments.output)
        return
    megabytes, rounds = (1.0, 1) if arguments.quick else (arguments.megabytes, arguments.rounds)
    measure.keep("corpus_preparation", compare(megabytes, rounds), arguments.results)


if __name__ == "__main__":
    main()
