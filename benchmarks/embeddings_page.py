"""What the page of benchmarks says of sentence embeddings and of search."""

from __future__ import annotations

from tables import Figures, digits, table, thousands

_NAMES = {
    "encoding": "2,000 texts encoded",
    "varying": "training, paragraphs",
    "nearly equal": "training, titles and abstracts",
    "large": "training, 1,024 pairs at once",
}
_WAYS = {"vectors": "by vectors", "words": "by words", "hybrid": "by both"}


def embeddings(result: Figures) -> str:
    settings = result["settings"]
    kept = {name: result[name] for name in _NAMES if name in result}
    speeds = [
        [
            _NAMES[name],
            *(_rate(one["per_second"][side]) for side in ("ours", "theirs")),
            digits(one["ratio"]),
        ]
        for name, one in kept.items()
    ]
    peaks = [
        [
            _NAMES[name],
            *(
                f"{one['memory']['megabytes'][side]['above']:,.0f} MB"
                for side in ("ours", "theirs")
            ),
            f"{one['memory']['ratio']:.2f} x",
        ]
        for name, one in kept.items()
        if "memory" in one
    ]
    columns = ["unmask", "sentence-transformers", "ratio"]
    return "\n\n".join(
        [
            "## Sentence embeddings",
            f"Against sentence-transformers, fp32, {settings['threads']} threads, each side in a "
            f"process of its own, in turns, {settings['rounds']} rounds: median, least and "
            "greatest. Encoding: all-MiniLM-L6-v2, sentences of STS-B and abstracts of SciFact in "
            "turns, tokenizing included. Training: the same model, multiple negatives ranking, 64 "
            "pairs: neighbouring paragraphs of novels of any length up to 256 tokens, and titles "
            "with abstracts, nearly all cut at 128. At once: 1,024 such pairs with a mini encoder "
            "of random weights, against the cached loss (GradCache).",
            table(["texts or pairs per second", *columns], speeds),
            "Peak memory of the first step in a fresh process, above what it held before:",
            table(["", *columns], peaks),
        ]
    )


def _rate(spread: Figures) -> str:
    return digits(spread, 1) if spread["median"] < 1000 else thousands(spread)


def search(result: Figures) -> str:
    settings, vectors = result["settings"], result["vectors"]
    passages = next(iter(result["kinds"].values()))["build"]["passages"]
    built = [
        [
            name,
            f"{one['build']['seconds']:.1f} s",
            f"{one['build']['disk_megabytes']:,.0f} MB",
            f"{one['build']['megabytes']['above']:,.0f} MB",
            f"{one['ask']['megabytes']['above']:,.0f} MB",
            f"{one['recall']:.4f}",
        ]
        for name, one in result["kinds"].items()
    ]
    asked = [
        [
            name,
            *(
                f"{one['ask']['milliseconds'][way]['p50']:.1f} / "
                f"{one['ask']['milliseconds'][way]['p99']:.1f}"
                for way in _WAYS
            ),
        ]
        for name, one in result["kinds"].items()
    ]
    return "\n\n".join(
        [
            "## Search",
            f"{passages:,} passages of novels, whole sentences of at most {settings['max_tokens']} "
            f"tokens, by all-MiniLM-L6-v2, {settings['threads']} threads. Their vectors are made "
            f"once, {digits(vectors['per_second'], 0)} a second; building is everything else. "
            "Recall: of the ten nearest passages of all, those that are found too, over "
            f"{settings['queries']:,} sentences of other books. Memory is above that of the model.",
            table(
                ["", "built in", "on disk", "memory, building", "memory, asking", "recall@10"],
                built,
            ),
            "Milliseconds from a question's text to ten passages, p50 / p99, its vector included, "
            "one question after another:",
            table(["", *_WAYS.values()], asked),
        ]
    )
