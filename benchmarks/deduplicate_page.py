"""The section of docs/benchmarks.md about duplicates among many texts."""

from __future__ import annotations

from tables import Figures, digits, table

_NAMES = {
    "deduplicate": "`deduplicate`, single linkage",
    "star": "`deduplicate`, stars",
    "paraphrases": "`paraphrases`, its 500,000 best pairs",
    "theirs": "`paraphrase_mining_embeddings`",
}


def deduplicate(result: Figures) -> str:
    settings = result["settings"]
    rows = [
        [
            name,
            digits(result["seconds"][work], 1),
            digits(result["ratio"][work], 1) if work in result["ratio"] else "",
            f"{result['recall'][work]:.6f}" if work in result["recall"] else "",
            f"{result['megabytes'][work]['above']:,.0f} MB",
        ]
        for work, name in _NAMES.items()
    ]
    return "\n\n".join(
        [
            "## Duplicates",
            f"{settings['texts']:,} sentences of the books, a twentieth of them near copies, as "
            f"vectors of {settings['dimension']} numbers by all-MiniLM-L6-v2 that are there; "
            f"threshold {settings['threshold']:g}, {settings['threads']} threads. Against "
            "sentence-transformers' own defaults (100 neighbours, 500,000 pairs), each in a "
            f"process of its own, in turns, {settings['rounds']} rounds: median, least and "
            f"greatest. Recall: of its {result['their_pairs']['from_threshold']:,} pairs from the "
            "threshold on, those in one group of ours; for `paraphrases`, of all its pairs. "
            "Memory: the peak above what the process held with the vectors.",
            table(["", "seconds", "times as fast", "recall", "memory"], rows),
        ]
    )
