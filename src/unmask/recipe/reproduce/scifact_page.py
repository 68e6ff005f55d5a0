"""The table of domain adaptation as Markdown."""

from __future__ import annotations

from statistics import mean, stdev
from typing import Any


def markdown(document: dict[str, Any]) -> str:
    """Figures, settings, and what was tried."""
    versions, claims, chosen = document["versions"], document["claims"], document["chosen"]
    rrf_k = chosen["rrf_k"]
    lines = [
        f"## {document['model']} adapted to SciFact",
        "",
        f"`unmask reproduce {document['table']}`, unmask {versions['unmask']}, torch "
        f"{versions['torch']}. "
        f"nDCG@10 over the {claims['test']} test claims, times 100, with 95 % intervals (bootstrap "
        f"over claims); of several seeds the mean ± standard deviation. Trained on "
        f"{claims['train']} claims, or those with enough negatives, by multiple negatives ranking; "
        "of the settings below those were taken that found most for "
        f"{claims['held_out']} claims held out of training: {chosen['title']}, and k of the "
        f"reciprocal rank fusion {rrf_k['before']:g} before and {rrf_k['after']:g} after. The test "
        "claims were searched for once.",
        "",
        "| | nDCG@10 | 95 % interval | change to the model before |",
        "| --- | --- | --- | --- |",
    ]
    for row in document["rows"]:
        low, high = (100 * value for value in row["interval"])
        change = "" if row["name"] == "before" else _change(row)
        values = [100 * value for value in row["values"]]
        spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
        lines.append(
            f"| {row['name']} | {mean(values):.2f}{spread} | {low:.1f} to {high:.1f} | {change} |"
        )
    lines += [
        "",
        "| tried, one seed | learned from claims | nDCG@10 of the held-out claims |",
        "| --- | --- | --- |",
    ]
    lines += [
        f"| {one['title']} | {one['claims']} | {100 * one['held_out']:.2f} |"
        for one in document["tried"]
    ]
    lines += ["", "| k of the fusion with BM25 | before | adapted |", "| --- | --- | --- |"]
    before, after = document["fused"]["before"], document["fused"]["after"]
    lines += [f"| {k} | {100 * before[k]:.2f} | {100 * after[k]:.2f} |" for k in before]
    return "\n".join(lines) + "\n"


def _change(row: dict[str, Any]) -> str:
    low, high = (100 * value for value in row["change_interval"])
    return f"{100 * row['change']:+.2f} ({low:+.1f} to {high:+.1f})"
