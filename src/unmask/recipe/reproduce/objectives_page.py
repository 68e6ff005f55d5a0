"""The figures of the comparison of objectives, as Markdown and as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import torch

from unmask import __version__
from unmask.errors import writing
from unmask.recipe.reproduce.report import Report

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
        "tokens": [run.outcome()["tokens"] for run in finished][:1],
        "noise": noise,
        "rows": rows,
        "missing_runs": wanted - len(finished),
        "versions": {
            "unmask": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def _row(members: Sequence[ArmRun]) -> dict[str, Any]:
    arm = members[0].arm
    outcomes = [run.outcome() for run in members]
    values: dict[str, list[float]] = {}
    for name in MEASURES:
        if name.startswith("mlm_") and not arm.compares:
            continue
        values[name] = [outcome["pretraining"].get(name, outcome.get(name)) for outcome in outcomes]
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


def _noise(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Of each measure, the most that two seeds of any one arm differ by."""
    noise: dict[str, float] = {}
    for row in rows:
        for name, found in row["values"].items():
            if len(found) > 1:
                noise[name] = max(noise.get(name, 0.0), max(found) - min(found))
    return noise


def _differences(
    row: Mapping[str, Any], other: Mapping[str, Any] | None, noise: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """Against the arm beside it: how much, and whether it is more than seeds make."""
    if other is None or other["arm"] == row["arm"]:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for name, value in row["means"].items():
        if name not in other["means"] or name not in noise:
            continue
        difference = value - other["means"][name]
        better = difference < 0 if name == "mlm_loss" else difference > 0
        verdict = "better" if better else "worse"
        found[name] = {
            "difference": difference,
            "verdict": "none" if abs(difference) <= noise[name] else verdict,
        }
    return found


def markdown(document: Mapping[str, Any]) -> str:
    """The table, one row an arm, and what seeds alone make."""
    header = ["arm", "parameters", "seeds", *MEASURES.values(), "beside", "difference"]
    lines = [
        "# Objectives\n",
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
    noise = ", ".join(
        f"{MEASURES[name]} {_shown(name, value)}" for name, value in document["noise"].items()
    )
    lines.append(
        f"\nA difference that is no larger than the most by which two seeds of one arm differ "
        f"({noise or 'no arm has two yet'}) is called none."
    )
    if document["missing_runs"]:
        lines.append(f"\n{document['missing_runs']} run(s) are not finished.")
    return "\n".join(lines) + "\n"


def _cell(row: Mapping[str, Any], name: str) -> str:
    values = row["values"].get(name)
    if values is None:
        return "-"
    shown = _shown(name, row["means"][name])
    if len(values) == 1:
        return shown
    return f"{shown} ({', '.join(_shown(name, value) for value in values)})"


def _shown(name: str, value: float) -> str:
    return f"{value:.3f}" if name == "mlm_loss" else f"{100 * value:.1f}"


def _told(differences: Mapping[str, Mapping[str, Any]]) -> str:
    """In words, measure by measure."""
    return "; ".join(
        f"{MEASURES[name].split(',')[0]}: {found['verdict']}" for name, found in differences.items()
    )
