"""all-MiniLM-L6-v2 on public test sets, beside the figures that were published of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.data.labelled.config import Columns, LabelledConfig
from unmask.errors import DataError
from unmask.recipe.assess_sentences import assess_examples, assess_retrieval
from unmask.recipe.assessment import Assessment
from unmask.recipe.config import EvaluateRetrieval
from unmask.recipe.reproduce.report import Report, keep, versions
from unmask.recipe.reproduce.starting import data_folder, model_folder
from unmask.recipe.together import Say, on_stderr

TABLE = "minilm"
STS = LabelledConfig(columns=Columns(texts=(0, 1), label=(2,)), header="no")
"""How STS-B's files are read: two sentences and a score, without a header."""


@dataclass(frozen=True)
class Measure:
    """One figure of a public test set."""

    title: str
    place: str
    """Below the folder of data."""
    score: str
    measured: Callable[[Bundle, Path], Assessment]
    published: str
    """The figure that is known, and whence."""


MEASURES = (
    Measure(
        "STS-B test, Spearman of the cosine",
        "stsb/stsb-en-test.csv",
        "spearman_cosine",
        lambda bundle, place: assess_examples(bundle, place, STS),
        "82.03 (model card and MTEB)",
    ),
    Measure(
        "SciFact test, nDCG@10",
        "scifact",
        "ndcg_cut_10",
        lambda bundle, place: assess_retrieval(bundle, place, EvaluateRetrieval()),
        "64.51 (MTEB)",
    ),
    Measure(
        "Cranfield, nDCG@10, relevant or not",
        "cranfield",
        "ndcg_cut_10",
        lambda bundle, place: assess_retrieval(bundle, place, EvaluateRetrieval()),
        "",
    ),
    Measure(
        "Cranfield, nDCG@10, graded 4 to 0",
        "cranfield",
        "ndcg_cut_10",
        lambda bundle, place: assess_retrieval(bundle, place, EvaluateRetrieval(graded=True)),
        "",
    ),
)


def reproduce_minilm(
    output: Path,
    *,
    data: Path | None = None,
    model: Path | str | None = None,
    say: Say | None = None,
) -> Report:
    """Measures the model, or another one, on each test set that is there.

    Raises:
        UsageError: No data, or no model.
        DataError: None of the test sets is there, or one that cannot be read.
    """
    say = say or on_stderr
    source, folder = data_folder(data), model_folder(model, ())
    bundle = native.load(folder)
    rows: list[dict[str, Any]] = []
    for one in MEASURES:
        if not (source / one.place).exists():
            say(f"{one.title}: left out, for {source / one.place} is not there")
            continue
        say(f"== {one.title}")
        found = one.measured(bundle, source / one.place)
        rows.append(
            {
                "measure": one.title,
                "value": found.scores[one.score],
                "interval": found.intervals[one.score],
                "examples": found.num_examples,
                "published": one.published,
            }
        )
    if not rows:
        raise DataError(f"{source}: holds none of the test sets; see above for what is missing.")
    document = {
        "table": TABLE,
        "model": "all-MiniLM-L6-v2" if model is None else Path(model).name,
        "rows": rows,
        "versions": versions(),
    }
    return keep(Report(TABLE, document, markdown(document)), output)


def markdown(document: dict[str, Any]) -> str:
    """A row for each test set."""
    versions = document["versions"]
    lines = [
        f"## {document['model']} on public test sets",
        "",
        f"`unmask reproduce {TABLE}`, unmask {versions['unmask']}, torch {versions['torch']}, "
        "fp32. Intervals: 95 %, bootstrap over pairs or queries.",
        "",
        "| measure | found | 95 % interval | published of all-MiniLM-L6-v2 |",
        "| --- | --- | --- | --- |",
    ]
    for row in document["rows"]:
        low, high = row["interval"]
        lines.append(
            f"| {row['measure']} ({row['examples']:,}) | {100 * row['value']:.2f} | "
            f"{100 * low:.1f} to {100 * high:.1f} | {row['published']} |"
        )
    return "\n".join(lines) + "\n"
