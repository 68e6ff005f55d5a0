"""Running the rows of tables one after another, as often as it takes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from unmask.checkpoint import native
from unmask.checkpoint.lock import RunLock
from unmask.checkpoint.runs import is_begun
from unmask.errors import DataError, MachineError, Stopped, UnmaskError, UsageError
from unmask.recipe.finetune import finetune
from unmask.recipe.identity import weights_sha256
from unmask.recipe.reproduce.datasets import DATA_SETS, missing
from unmask.recipe.reproduce.interrupting import interruptible
from unmask.recipe.reproduce.report import Report, write
from unmask.recipe.reproduce.runs import Run, runs_of
from unmask.recipe.reproduce.starting import data_folder, model_folder, with_random_weights
from unmask.recipe.reproduce.tables import GROUPS, TABLES
from unmask.recipe.reproduce.writing import Files, written
from unmask.recipe.together import Say, on_stderr


def reproduce(
    table: str,
    output: Path,
    *,
    data: Path | None = None,
    model: Path | str | None = None,
    only: Sequence[str] = (),
    seeds: int | None = None,
    say: Say | None = None,
) -> list[Report]:
    """Runs what is missing of a table (see `GROUPS`) and gives its figures.

    Each run has a folder below `output`/TABLE; finished ones are not run again, and one that was
    interrupted goes on. Tables are written to `output`/TABLE.md and .json after every run. `only`
    names data sets, `seeds` is the number of runs of each row. `say` hears one line at a time and
    prints to stderr by default.

    Raises:
        UsageError: No data or model, an unknown name, or an output of other runs.
        DataError: No data set of the table is there, or rows that failed, after all others ran.
        Stopped: A signal; the same call goes on.
    """
    say = say or on_stderr
    tables = _tables(table, only)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("reproduce runs in one process; start it without torchrun.")
    source, place = data_folder(data), model_folder(model, tables)
    with interruptible(), RunLock(output):
        sha256 = weights_sha256(native.load(place).model.encoder)
        name = "/".join(place.absolute().parts[-2:])
        files, skipped = _prepared(tables, only, source, output, say)
        starts = {"pretrained": place, "adapted": place}
        if any(row.start == "random" for name in tables for row in TABLES[name].rows):
            starts["random"] = with_random_weights(place, output / "random-weights")
        runs = list(runs_of(tables, files, output, seeds))
        for run in runs:
            run.claim(sha256)
        failed = _run_all(runs, starts, lambda: write(tables, runs, skipped, name), say)
        reports = write(tables, runs, skipped, name)
    if failed:
        raise DataError("\n".join([f"{len(failed)} of {len(runs)} runs failed:", *failed]))
    return reports


def _tables(table: str, only: Sequence[str]) -> tuple[str, ...]:
    if table not in GROUPS:
        raise UsageError(f"{table}: no such table; expected one of {', '.join(GROUPS)}.")
    there = {row.data for name in GROUPS[table] for row in TABLES[name].rows}
    if unknown := [name for name in only if name not in there]:
        known = ", ".join(name for name in DATA_SETS if name in there)
        raise UsageError(f"--only {unknown[0]}: none of {table}'s data sets, which are {known}.")
    return GROUPS[table]


def _prepared(
    tables: Sequence[str], only: Sequence[str], data: Path, output: Path, say: Say
) -> tuple[dict[str, Files], dict[str, str]]:
    """The files of each data set, and why others are left out."""
    wanted = {
        row.data for name in tables for row in TABLES[name].rows if not only or row.data in only
    }
    files: dict[str, Files] = {}
    skipped: dict[str, str] = {}
    for name, dataset in DATA_SETS.items():
        if name not in wanted:
            continue
        if absent := missing(dataset, data):
            skipped[name] = f"{data / absent[0]} is not there"
            say(f"{name}: skipped, for {skipped[name]}")
        else:
            files[name] = written(dataset, data, output / "data" / name)
    if not files:
        raise DataError(
            f"{data}: holds none of {', '.join(skipped)}; see above for what is missing."
        )
    return files, skipped


def _run_all(
    runs: Sequence[Run], starts: dict[str, Path], keep: Callable[[], Any], say: Say
) -> list[str]:
    """Runs what is not finished; a line for each that failed."""
    waiting = [run for run in runs if not run.is_finished]
    say(f"{len(runs) - len(waiting)} of {len(runs)} runs are finished")
    failed: list[str] = []
    begun, done = time.monotonic(), 0.0
    for number, run in enumerate(waiting):
        left = sum(one.cost for one in waiting[number:])
        told = f", about {_duration((time.monotonic() - begun) / done * left)} left" if done else ""
        say(f"== {run.name} ({number + 1} of {len(waiting)}{told})")
        try:
            _run(run, starts[run.row.start], say)
        except (Stopped, KeyboardInterrupt):
            raise Stopped(
                f"stopped in {run.name}, with {len(runs) - len(waiting) + number - len(failed)} of "
                f"{len(runs)} runs finished; the same command goes on from here"
            ) from None
        except MachineError:
            raise  # the others would fail by it too
        except UnmaskError as error:
            failed.append(f"{run.name}: {error}")
            say(f"failed: {error}")
        done += run.cost
        keep()
    return failed


def _run(run: Run, model: Path, say: Say) -> None:
    finetune(
        run.files.path("train"),
        model,
        run.folder,
        run.row.settings(run.seed),
        adapt_to=run.files.texts if run.row.start == "adapted" else None,
        validation=run.files.path("validation"),
        test=run.files.path("test"),
        resume=is_begun(run.folder),
        say=say,
    )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60}:{minutes % 60:02} h"
