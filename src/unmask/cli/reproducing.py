"""The verb that runs the project's own figures again."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from unmask.cli.flags import AsJson
from unmask.errors import UsageError

Name = Literal[
    "tasks", "tasks-few", "tasks-all", "tasks-full", "pretraining", "adaptation", "objectives"
]


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
        objectives: what encoders are pretrained by, at an equal budget of tokens.
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
    else:
        reports = run(table, output, data=data, model=model, only=only, seeds=seeds)
    if json:
        print(json_format.dumps([report.document for report in reports], ensure_ascii=False))
        return
    print("\n".join(report.markdown for report in reports), end="")
