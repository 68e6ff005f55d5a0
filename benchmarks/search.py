"""Searching 100,000 passages of novels: building, latency, recall, memory.

Whole books are cut into passages of whole sentences, at most 64 tokens each, until there are enough
of them, and all-MiniLM-L6-v2 makes a vector of each, once, which is the same for every kind of
index; how many it makes a second is measured on some of them. Then each kind is built in a process
of its own from these vectors, which takes cutting, words (BM25), files and, where a kind does not
look at all vectors, its graph or cells with the measuring of its recall. A second process opens it
and is asked one question after another: sentences of books that are not in the index.

Latency is that of `Index.search`, from the text of a question to ten passages with their text, by
vectors (the question's own is made each time), by words, and by both. Recall is the share of the
ten nearest passages of all that a kind finds too. Memory is the peak of the process above what it
held with the model loaded; files of an index are mapped, and what is read of them counts.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

import material
import measure
import numpy as np
import task_material
import torch
from numpy.typing import NDArray

from unmask.search.config import ChunkConfig, IndexConfig, SearchConfig
from unmask.search.documents import Document

Figures = dict[str, Any]
Found = list[list[tuple[str, int]]]
NUM_PASSAGES = 100_000
NUM_QUERIES = 1_000
NUM_TIMED = 2_048
"""Passages whose encoding is timed, several times."""
TOP = 10
CHUNK = ChunkConfig(max_tokens=64, overlap_tokens=16)
FEWEST_WORDS, MOST_WORDS = 6, 30
"""Of a question."""
KINDS: dict[str, Figures] = {
    "exact": {"kind": "exact"},
    "exact, 8 bits": {"kind": "exact", "quantise": "sq8"},
    "graph": {"kind": "hnsw"},
    "graph, 8 bits": {"kind": "hnsw", "quantise": "sq8"},
    "cells": {"kind": "ivf"},
}
WAYS = ("vectors", "words", "hybrid")


@dataclass
class Remembering:
    """The model, with the vectors of passages that were made before."""

    model: Any
    vectors: NDArray[np.float32]
    rows: dict[str, int]
    name: str = "all-MiniLM-L6-v2"
    dimension: int = field(init=False)
    max_length: int = field(init=False)
    max_query_length: int = field(init=False)
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        self.dimension, self.max_length = self.model.dimension, self.model.max_length
        self.max_query_length = self.model.max_query_length
        self.sha256 = self.model.sha256

    def encode_query(self, texts: Sequence[str]) -> NDArray[np.float32]:
        made: NDArray[np.float32] = self.model.encode_query(texts)
        return made

    def encode_document(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.vectors[[self.rows[text] for text in texts]]

    def spans(self, text: str) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self.model.spans(text)
        return found


def documents(number: int) -> tuple[list[Document], list[Path]]:
    """Books with about so many passages, and those that are left."""
    paths = material.books()
    found, size = [], 0
    for place, path in enumerate(paths):
        text = path.read_text(encoding="utf-8", errors="ignore")
        found.append(Document(path.stem, text))
        size += len(text)
        if size >= number * _CHARACTERS_A_PASSAGE:
            return found, paths[place + 1 :]
    raise SystemExit("too few books: set UNMASK_DATA to real data")


_CHARACTERS_A_PASSAGE = 195
"""As these books are cut; more or less passages come of it, and how many is told."""


def questions(paths: Sequence[Path], number: int) -> list[str]:
    """Sentences of other books, evenly spread."""
    from unmask.data.sentences import split_in_parts

    found: dict[str, None] = {}
    for path in paths[:20]:
        text = path.read_text(encoding="utf-8", errors="ignore")
        for part in split_in_parts(text, 4096):
            for sentence in part:
                if FEWEST_WORDS <= len(sentence.split()) <= MOST_WORDS:
                    found.setdefault(" ".join(sentence.split()))
    every = list(found)
    return every[:: len(every) // number][:number]


def made(number: int) -> Path:
    """A folder with the passages' texts and vectors, made once."""
    from unmask.search.chunking import passages_of

    folder = material.WORK / f"passages-{number}"
    if (folder / "vectors.npy").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    embedder = loaded()
    texts = list(
        dict.fromkeys(
            document.text[span.start : span.end]
            for document in documents(number)[0]
            for span in passages_of(document, embedder, CHUNK)
        )
    )
    (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    np.save(folder / "unfinished.npy", embedder.encode_document(texts))
    (folder / "unfinished.npy").replace(folder / "vectors.npy")
    return folder


def encode(number: int, rounds: int) -> Figures:
    """Passages encoded a second, by turns."""
    texts = json.loads((made(number) / "texts.json").read_text(encoding="utf-8"))
    some, embedder, rates = texts[:: max(1, len(texts) // NUM_TIMED)][:NUM_TIMED], loaded(), []
    for _ in range(rounds):
        started = time.perf_counter()
        embedder.encode_document(some)
        rates.append(len(some) / (time.perf_counter() - started))
    return {"texts": len(texts), "per_second": measure.spread(rates)}


def loaded() -> Any:
    import unmask

    return unmask.load(task_material.model()).embedder()


def remembering(number: int) -> Remembering:
    folder = made(number)
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    rows = {text: row for row, text in enumerate(texts)}
    return Remembering(loaded(), np.load(folder / "vectors.npy"), rows)


def place_of(number: int, kind: str) -> Path:
    return material.WORK / f"index-{number}-{kind.replace(', ', '-').replace(' ', '')}"


def build(number: int, kind: str) -> Figures:
    """Seconds, size on disk and memory of one kind."""
    from unmask.search.index import Index

    embedder, place, (books, _) = remembering(number), place_of(number, kind), documents(number)
    if place.exists():
        rmtree(place)
    config = IndexConfig.model_validate({"chunk": CHUNK, **KINDS[kind]})
    answer: Figures = {}

    def work() -> None:
        started = time.perf_counter()
        index = Index.create(place, embedder, config)
        answer["passages"] = index.add(books).passages
        answer["seconds"] = time.perf_counter() - started
        answer["told"] = dict(index.figures)

    answer["megabytes"] = measure.peak_above_now(work, 1)
    sizes = (path.stat().st_size for path in place.rglob("*") if path.is_file())
    answer["disk_megabytes"] = sum(sizes) / 1e6
    return answer


def ask(number: int, kind: str, num_queries: int) -> Figures:
    """Latencies by every way in milliseconds, memory, and what was found by vectors."""
    from unmask.search.index import Index

    embedder, asked = loaded(), questions(documents(number)[1], num_queries)
    embedder.encode_query(asked[:1])
    latencies: dict[str, list[float]] = {way: [] for way in WAYS}
    found: Found = []

    def work() -> None:
        started = time.perf_counter()
        index = Index.open(place_of(number, kind), embedder, verify=False)
        answer["open_seconds"] = time.perf_counter() - started
        for way in WAYS:
            config = SearchConfig.model_validate({"by": way, "top_k": TOP})
            for text in asked[: num_queries // 20]:
                index.search(text, config)
            for text in asked:
                started = time.perf_counter()
                hits = index.search(text, config)
                latencies[way].append(1000 * (time.perf_counter() - started))
                if way == "vectors":
                    found.append([(hit.document, hit.start) for hit in hits])

    answer: Figures = {}
    answer["megabytes"] = measure.peak_above_now(work, 1)
    answer["milliseconds"] = {way: quantiles(of) for way, of in latencies.items()}
    found_by(number, kind).write_text(json.dumps(found), encoding="utf-8")
    return answer


def quantiles(milliseconds: Sequence[float]) -> Figures:
    return {name: float(np.quantile(milliseconds, q)) for name, q in (("p50", 0.5), ("p99", 0.99))}


def found_by(number: int, kind: str) -> Path:
    """What a kind found for each question."""
    return place_of(number, kind).with_suffix(".found.json")


def recall(number: int, kind: str) -> float:
    """Of the ten nearest of all, the share that the kind found too."""
    read = partial(Path.read_text, encoding="utf-8")
    exact, own = (json.loads(read(found_by(number, name))) for name in ("exact", kind))
    shares = [
        len({*map(tuple, one)} & {*map(tuple, other)}) / len(one)
        for one, other in zip(exact, own, strict=True)
    ]
    return float(np.mean(shares))


WORKS: dict[str, Callable[..., Figures]] = {"encode": encode, "build": build, "ask": ask}


def serve() -> None:
    """A worker that does what each line of JSON asks for."""
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(WORKS[order.pop("work")](**order)), flush=True)


def answered(arguments: argparse.Namespace, **order: Any) -> Figures:
    worker = measure.Worker("search.py", "--worker", "--threads", str(arguments.threads))
    answer = worker.ask({"number": arguments.passages, **order})
    worker.close()
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--passages", type=int, default=NUM_PASSAGES)
    parser.add_argument("--queries", type=int, default=NUM_QUERIES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--results", type=Path, default=measure.RESULTS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.passages, arguments.queries = 2_000, 40
    torch.set_num_threads(arguments.threads)
    if arguments.worker:
        serve()
        return
    made(arguments.passages)  # before any side starts
    result: Figures = {
        "settings": {
            "queries": arguments.queries,
            "threads": arguments.threads,
            "max_tokens": CHUNK.max_tokens,
            "overlap_tokens": CHUNK.overlap_tokens,
        },
        "vectors": answered(arguments, work="encode", rounds=1 if arguments.quick else 5),
        "kinds": {},
    }
    for kind in KINDS:
        one: Figures = {"build": answered(arguments, work="build", kind=kind)}
        one["ask"] = answered(arguments, work="ask", kind=kind, num_queries=arguments.queries)
        one["recall"] = recall(arguments.passages, kind)
        result["kinds"][kind] = one
        print(f"{kind}: recall {one['recall']:.4f}", file=sys.stderr)
    measure.keep("search", result, arguments.results)


if __name__ == "__main__":
    main()
