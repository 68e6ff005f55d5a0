"""The figures of tables, as Markdown and as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from unmask import __version__
from unmask.errors import writing
from unmask.recipe.reproduce.datasets import DATA_SETS
from unmask.recipe.reproduce.runs import Run
from unmask.recipe.reproduce.tables import TABLES, Row

_BASELINES = {
    "one answer": ("majority of each word", "majority", "mean", "never an answer"),
    "words alone": (
        "tf-idf + logistic regression",
        "tf-idf + ridge regression",
        "word features + logistic regression",
        "most similar sentence",
    ),
    "linear probe": ("linear probe",),
}
"""Columns, and whose scores stand in them: tasks have one of each kind."""
_BASELINES_NOTE = (
    "One answer: always the most frequent (of tags the word's own most frequent; of numbers the "
    "mean; of questions with and without an answer, none). Words alone: logistic regression over "
    "TF-IDF, ridge regression for numbers, features of words for tags; for questions the most "
    "similar sentence. Linear probe: the same regression over the encoder as it was pretrained."
)


@dataclass(frozen=True)
class Report:
    """One table."""

    name: str
    document: dict[str, Any]
    """As JSON has it."""
    markdown: str


def write(
    tables: Sequence[str], runs: Sequence[Run], skipped: Mapping[str, str], model: str
) -> list[Report]:
    """The tables as far as their runs are finished, also as files beside the runs."""
    reports = []
    for name in tables:
        mine = [run for run in runs if run.table == name]
        if not mine:
            continue
        document = _document(name, mine, skipped, model)
        reports.append(keep(Report(name, document, markdown(document)), mine[0].output))
    return reports


def versions() -> dict[str, str]:
    """Of what computed the figures."""
    return {
        "unmask": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def keep(report: Report, folder: Path) -> Report:
    """Writes a report as Markdown and JSON, and gives it back.

    Raises:
        MachineError: The folder cannot be written.
    """
    stem = folder / report.name
    with writing(stem):
        folder.mkdir(parents=True, exist_ok=True)
        stem.with_suffix(".md").write_text(report.markdown, encoding="utf-8")
        text = json.dumps(report.document, indent=2, ensure_ascii=False) + "\n"
        stem.with_suffix(".json").write_text(text, encoding="utf-8")
    return report


def _document(
    name: str, runs: Sequence[Run], skipped: Mapping[str, str], model: str
) -> dict[str, Any]:
    there = {run.row.data for run in runs}
    rows = []
    for row in TABLES[name].rows:
        mine = [run for run in runs if run.row == row]
        finished = [run for run in mine if run.is_finished]
        if finished:
            rows.append(_row(row, finished, len(mine)))
    return {
        "table": name,
        "title": TABLES[name].title,
        "model": model,
        "rows": rows,
        "skipped": {
            data: why
            for data, why in skipped.items()
            if data not in there and any(row.data == data for row in TABLES[name].rows)
        },
        "versions": versions(),
    }


def _row(row: Row, runs: Sequence[Run], num_wanted: int) -> dict[str, Any]:
    dataset = DATA_SETS[row.data]
    outcomes = [run.outcome() for run in runs]
    return {
        "row": row.name,
        "data": dataset.title,
        "task": dataset.task,
        "parts": dataset.rule,
        "start": row.start,
        "train_examples": runs[0].num_train,
        "test_examples": runs[0].files.counts["test"],
        "seeds": [run.seed for run in runs],
        "missing_seeds": num_wanted - len(runs),
        "learning_rate": row.settings(0).optim.learning_rate if "optim" in row.recipe else None,
        "scores": {name: _score(name, outcomes) for name in dataset.shown},
        "baselines": {
            baseline: {name: scores[name] for name in dataset.shown if name in scores}
            for baseline, scores in outcomes[0]["baselines"].items()
        },
        "published": [
            {"value": one.value, "what": one.what, "source": one.source} for one in row.published
        ],
    }


def _score(name: str, outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation over seeds; of the intervals' bounds the means."""
    values = [outcome["test"][name] for outcome in outcomes]
    bounds = [outcome["intervals"][name] for outcome in outcomes if name in outcome["intervals"]]
    return {
        "mean": mean(values),
        "spread": stdev(values) if len(values) > 1 else None,
        "values": values,
        "interval": [mean(ends) for ends in zip(*bounds, strict=True)] if bounds else None,
    }


def markdown(document: Mapping[str, Any]) -> str:
    """A table of `Report.document`."""
    rows = document["rows"]
    given = {name for row in rows for name in row["baselines"]}
    baselines = [column for column, names in _BASELINES.items() if given & set(names)]
    published = any(row["published"] for row in rows)
    header = ["data", "trained on", "score", "test", "95 % interval", *baselines]
    header += ["published"] if published else []
    cells = [
        [*line, *(["; ".join(_published(row, first))] if published else [])]
        for row in rows
        for first, line in _lines(row, baselines)
    ]
    seeds = (
        " Mean ± standard deviation over seeds." if any(len(r["seeds"]) > 1 for r in rows) else ""
    )
    parts = [
        f"## {document['title']}",
        f"Test scores in percent, from `{document['model']}` where nothing else is "
        f"said.{seeds} Intervals: bootstrap over test examples. `unmask reproduce "
        f"{document['table']}`, unmask {document['versions']['unmask']}, torch "
        f"{document['versions']['torch']}.",
        _table(header, cells),
        _BASELINES_NOTE if baselines else "",
        _not_above(rows),
        "\n".join(f"- {row}" for row in _notes(rows)),
    ]
    parts += [f"Skipped: {name}, {why}." for name, why in document["skipped"].items()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _lines(row: Mapping[str, Any], baselines: Sequence[str]) -> Iterable[tuple[bool, list[str]]]:
    """A line for each score, the row's name in the first."""
    for name, score in row["scores"].items():
        is_first = name == next(iter(row["scores"]))
        spread = "" if score["spread"] is None else f" ± {100 * score['spread']:.1f}"
        interval = score["interval"]
        others = [_baseline(row, column, name) for column in baselines]
        yield (
            is_first,
            [
                _name(row) if is_first else "",
                f"{row['train_examples']:,}" if is_first else "",
                name,
                f"{100 * score['mean']:.1f}{spread}",
                "" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}",
                *("" if other is None else f"{100 * other:.1f}" for other in others),
            ],
        )


def _baseline(row: Mapping[str, Any], column: str, score: str) -> float | None:
    """The score of whichever baseline of that kind the row's task has."""
    scores = (row["baselines"].get(name, {}).get(score) for name in _BASELINES[column])
    return next((found for found in scores if found is not None), None)


def _not_above(rows: Sequence[Mapping[str, Any]]) -> str:
    """Names the rows whose first score may as well be that of a baseline."""
    names = []
    for row in rows:
        name, score = next(iter(row["scores"].items()))
        others = [_baseline(row, column, name) for column in _BASELINES]
        best = max((other for other in others if other is not None), default=None)
        lowest = score["mean"] if score["interval"] is None else score["interval"][0]
        if best is not None and lowest <= best:
            names.append(_name(row))
    return f"Not clearly better than the best baseline: {', '.join(names)}." if names else ""


def _name(row: Mapping[str, Any]) -> str:
    start = {"random": ", random weights", "adapted": ", adapted"}.get(row["start"], "")
    rate = "" if row["learning_rate"] is None else f", rate {row['learning_rate']:g}"
    missing = f", {row['missing_seeds']} seeds to come" if row["missing_seeds"] else ""
    return f"{row['data']}{start}{rate}{missing}"


def _published(row: Mapping[str, Any], first: bool) -> list[str]:
    if not first:
        return []
    return [f"{one['value']:g}: {one['what']} ({one['source']})" for one in row["published"]]


def _notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the parts are, for each data set once."""
    return list(
        dict.fromkeys(
            f"{row['data']}: {row['parts']}; {row['test_examples']:,} test examples" for row in rows
        )
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
