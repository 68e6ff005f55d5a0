"""The verb that runs the project's own figures again."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from unmask.cli.flags import AsJson

Name = Literal["tasks", "tasks-few", "tasks-all", "tasks-full", "pretraining"]


def reproduce(
    table: Name,
    /,
    *,
    data: Path | None = None,
    output: Path = Path("runs/reproduce"),
    model: str | None = None,
    only: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    seeds: int | None = None,
    json: AsJson = False,
) -> None:
    """Runs a published or claimed figure again, with seeds and spread.

    What is finished is not run again, and what was interrupted goes on by the same command.

    Parameters
    ----------
    table
        tasks: all of tasks-few (1,000 examples, 3 seeds), tasks-all (every task, beside baselines)
        and tasks-full (full training sets, beside published figures). pretraining: a model's
        weights against random ones.
    data
        Folder of the published data sets, each in its own; without it, UNMASK_DATA names it.
    output
        Folder for the runs and the tables.
    model
        What to begin with; without it all-MiniLM-L6-v2, where its package is installed.
    only
        Data sets, by the names of the table's rows.
    seeds
        Runs of each row; without it as many as the table says.
    """
    from unmask.recipe.reproduce.running import reproduce as run

    reports = run(table, output, data=data, model=model, only=only, seeds=seeds)
    if json:
        print(json_format.dumps([report.document for report in reports], ensure_ascii=False))
        return
    print("\n".join(report.markdown for report in reports), end="")
