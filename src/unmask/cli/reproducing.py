"""The verb that runs the project's own figures again."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter, validators

from unmask.cli.flags import AsJson
from unmask.errors import UsageError

if TYPE_CHECKING:
    from unmask.recipe.reproduce.report import Report

Name = Literal[
    "tasks",
    "tasks-few",
    "tasks-all",
    "tasks-full",
    "pretraining",
    "adaptation",
    "objectives",
    "minilm",
    "sbert",
    "scifact",
]

SENTENCES: tuple[Name, ...] = ("minilm", "sbert", "scifact")
"""Those about sentence encoders, which are run whole."""


def reproduce(
    table: Name,
    /,
    *,
    data: Path | None = None,
    output: Path = Path("runs/reproduce"),
    model: str | None = None,
    only: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    seeds: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    json: AsJson = False,
) -> None:
    """Runs the experiments behind a table of figures again, with several seeds and their spread.

    Runs that are finished are not repeated; the same command goes on with what was interrupted.

    Parameters
    ----------
    table
        tasks: all of tasks-few (1,000 examples, 3 seeds), tasks-all (every task, beside baselines)
        and tasks-full (full training sets, beside published figures). pretraining: a model's
        weights against random ones. adaptation: the same model pretrained on a task's text first.
        objectives: what encoders are pretrained by, at an equal budget of tokens. minilm:
        all-MiniLM-L6-v2 on public test sets beside its published figures. sbert: Sentence-BERT's
        argument, from a pretrained encoder. scifact: all-MiniLM-L6-v2 trained on SciFact with mined
        negatives, alone and together with BM25.
    data
        Folder that holds one folder for each published data set; without it, the one that the
        environment variable UNMASK_DATA names.
    output
        Folder for the runs and the tables.
    model
        The model to begin with; without it all-MiniLM-L6-v2, where its package is installed.
    only
        Only these data sets, or of objectives these arms, by the names of the table's rows.
    seeds
        Runs for each row, each with another seed; without it as many as the table says.
    """
    from unmask.recipe.reproduce.objectives import reproduce_objectives
    from unmask.recipe.reproduce.running import reproduce as run

    if table == "objectives":
        if model is not None:
            raise UsageError("--model: without effect for objectives, whose arms begin afresh.")
        reports = [reproduce_objectives(output, data=data, only=only, seeds=seeds)]
    elif table in SENTENCES:
        if only:
            raise UsageError(f"--only: without effect for {table}, whose rows belong together.")
        reports = [_of_sentences(table, output, data, model, seeds)]
    else:
        reports = run(table, output, data=data, model=model, only=only, seeds=seeds)
    if json:
        print(json_format.dumps([report.document for report in reports], ensure_ascii=False))
        return
    print("\n".join(report.markdown for report in reports), end="")


def _of_sentences(
    table: Name, output: Path, data: Path | None, model: str | None, seeds: int | None
) -> Report:
    from unmask.recipe.reproduce.minilm import reproduce_minilm
    from unmask.recipe.reproduce.sbert import reproduce_sbert
    from unmask.recipe.reproduce.scifact import reproduce_scifact

    if table == "sbert":
        return reproduce_sbert(output, model=model, data=data, seeds=seeds)
    if table == "scifact":
        return reproduce_scifact(output, model=model, data=data, seeds=seeds)
    if seeds is not None:
        raise UsageError("--seeds: without effect for minilm, which is only measured.")
    return reproduce_minilm(output, data=data, model=model)
