"""The figures of the comparison of objectives, as Markdown and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, variance
from typing import TYPE_CHECKING, Any

from scipy.stats import t as student

from unmask.errors import writing
from unmask.recipe.reproduce.arms import EXAMPLES
from unmask.recipe.reproduce.report import Report, versions
from unmask.recipe.telling import HELD_OUT_RATE

if TYPE_CHECKING:
    from unmask.recipe.reproduce.objectives import ArmRun

MEASURES = {
    "mlm_loss": "held-out loss, nats",
    "mlm_accuracy": "held-out accuracy, %",
    "sst2": "SST-2, %",
    "ud-ewt": "UPOS, %",
}
"""By name, as a column is headed."""
_NAME = "objectives"


def report(runs: Sequence[ArmRun], output: Path) -> Report:
    """The table as far as its runs are finished, also as files beside them."""
    document = _document([run for run in runs if run.is_finished], len(runs))
    made = Report(_NAME, document, markdown(document))
    stem = output / _NAME
    with writing(stem):
        stem.with_suffix(".md").write_text(made.markdown, encoding="utf-8")
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        stem.with_suffix(".json").write_text(text, encoding="utf-8")
    return made


def _document(finished: Sequence[ArmRun], wanted: int) -> dict[str, Any]:
    tokens = [run.outcome()["tokens"] for run in finished]
    arms: dict[str, list[ArmRun]] = {}
    for run in finished:
        arms.setdefault(run.arm.name, []).append(run)
    rows = [_row(members) for members in arms.values()]
    noise = _noise(rows)
    by_name = {row["arm"]: row for row in rows}
    for row in rows:
        row["differences"] = _differences(row, by_name.get(row["beside"]), noise)
    return {
        "table": _NAME,
        "steps": sorted({run.steps for run in finished}),
        "batch_size": sorted({run.recipe().train.batch_size for run in finished}),
        "sequence_length": sorted({run.recipe().train.sequence_length for run in finished}),
        "tokens": [min(tokens), max(tokens)] if tokens else [],
        "noise": noise,
        "rows": rows,
        "missing_runs": wanted - len(finished),
        "versions": versions(),
    }


def _row(members: Sequence[ArmRun]) -> dict[str, Any]:
    arm = members[0].arm
    outcomes = [run.outcome() for run in members]
    values: dict[str, list[float]] = {}
    for name in MEASURES:
        if not name.startswith("mlm_"):
            values[name] = [outcome[name] for outcome in outcomes]
        elif arm.compares:
            values[name] = [outcome["held_out"][name] for outcome in outcomes]
    return {
        "arm": arm.name,
        "title": arm.title,
        "beside": arm.beside,
        "expected": arm.expected,
        "parameters": outcomes[0]["parameters"],
        "seeds": [run.seed for run in members],
        "values": values,
        "means": {name: mean(found) for name, found in values.items()},
    }


def _noise(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Of each measure the standard deviation over seeds, pooled over the arms that have several.

    Two seeds of one arm say little of their spread; those of all arms together say more.
    """
    squares: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name, found in row["values"].items():
            if len(found) > 1:
                squares.setdefault(name, []).append((len(found) - 1, variance(found)))
    noise = {}
    for name, parts in squares.items():
        degrees = sum(free for free, _ in parts)
        pooled = sum(free * square for free, square in parts) / degrees
        noise[name] = {"deviation": math.sqrt(pooled), "degrees": degrees}
    return noise


def _limit(noise: Mapping[str, float], num_seeds: int, others: int) -> float:
    """The largest difference of two means that seeds alone give 95 times in 100, by Student's t."""
    quantile = float(student.ppf(0.975, noise["degrees"]))
    return quantile * noise["deviation"] * math.sqrt(1 / num_seeds + 1 / others)


def _differences(
    row: Mapping[str, Any],
    other: Mapping[str, Any] | None,
    noise: Mapping[str, Mapping[str, float]],
) -> dict[str, dict[str, Any]]:
    """Against the arm beside it: how much, and whether it is more than seeds make."""
    if other is None or other["arm"] == row["arm"]:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for name, value in row["means"].items():
        if name not in other["means"] or name not in noise:
            continue
        difference = value - other["means"][name]
        limit = _limit(noise[name], len(row["seeds"]), len(other["seeds"]))
        better = difference < 0 if name == "mlm_loss" else difference > 0
        verdict = "better" if better else "worse"
        found[name] = {
            "difference": difference,
            "limit": limit,
            "verdict": "none" if abs(difference) <= limit else verdict,
        }
    return found


def markdown(document: Mapping[str, Any]) -> str:
    """The table, one row an arm, and what seeds alone make."""
    header = ["arm", "parameters", "seeds", *MEASURES.values(), "beside", "difference"]
    lines = [
        "# Objectives\n",
        _introduction(document) + "\n",
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
    ]
    for row in document["rows"]:
        cells = [
            row["title"],
            f"{row['parameters'] / 1e6:.2f}M",
            str(len(row["seeds"])),
            *(_cell(row, name) for name in MEASURES),
            "" if row["beside"] == row["arm"] else row["beside"],
            _told(row["differences"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("\n" + _rule(document))
    papers = [f"- {row['title']}: {row['expected']}" for row in document["rows"] if row["expected"]]
    lines += ["\nWhat the papers found:\n", *papers] if papers else []
    if document["missing_runs"]:
        lines.append(f"\n{document['missing_runs']} run(s) are not finished.")
    return "\n".join(lines) + "\n"


def _introduction(document: Mapping[str, Any]) -> str:
    steps, batch_size, length = (
        " or ".join(f"{number:,}" for number in document[name])
        for name in ("steps", "batch_size", "sequence_length")
    )
    tokens = " to ".join(dict.fromkeys(f"{number / 1e6:.2f}" for number in document["tokens"]))
    versions = document["versions"]
    return (
        f"`unmask reproduce {document['table']}`, unmask {versions['unmask']}, torch "
        f"{versions['torch']}. Each arm: {steps} steps of {batch_size} sequences of up to "
        f"{length} tokens, {tokens} million tokens, then fine-tuned on {EXAMPLES:,} examples of "
        "each data set and scored on its test part. Held-out loss and accuracy: the same plain "
        "sequences of books that no arm reads, under the same masks of "
        f"{100 * HELD_OUT_RATE:g} %, whatever the arm trained on. Of several seeds the mean, and "
        "each in brackets."
    )


def _rule(document: Mapping[str, Any]) -> str:
    """When a difference is called one."""
    noise = ", ".join(
        f"{MEASURES[name]} {_shown(name, found['deviation'], digits=1)}"
        for name, found in document["noise"].items()
    )
    if not noise:
        return "No arm has several seeds yet, so that nothing is said of differences."
    comparisons = sum(len(row["differences"]) for row in document["rows"])
    return (
        f"Standard deviation over seeds, pooled over the arms that have several: {noise}. A "
        "difference between two arms' means that seeds alone would exceed in 5 of 100 comparisons "
        "or more (Student's t) is called none; of these "
        f"{comparisons}, {0.05 * comparisons:.1f} on the average would be called one if all arms "
        "were equal."
    )


def _cell(row: Mapping[str, Any], name: str) -> str:
    values = row["values"].get(name)
    if values is None:
        return "-"
    shown = _shown(name, row["means"][name])
    if len(values) == 1:
        return shown
    return f"{shown} ({', '.join(_shown(name, value) for value in values)})"


def _shown(name: str, value: float, digits: int = 0) -> str:
    """`digits` are those beyond the usual ones."""
    return f"{value:.{3 + digits}f}" if name == "mlm_loss" else f"{100 * value:.{1 + digits}f}"


def _told(differences: Mapping[str, Mapping[str, Any]]) -> str:
    """In words, measure by measure."""
    return "; ".join(
        f"{MEASURES[name].split(',')[0]}: {found['verdict']}" for name, found in differences.items()
    )
