"""A thousand labels: ours beside transformers' plain loop, on four tasks with three seeds each.

Both sides start from all-MiniLM-L6-v2 and take the same 1,000 training examples, batch size,
learning rate (with 10 % linear warm-up and linear decay) and epochs. Ours is `unmask reproduce
tasks-few` as it is, which keeps the weights of the best epoch by the validation examples; theirs is
AutoModelFor... with dynamic padding, and its result is the last epoch's. Test predictions of both
are scored by the same arithmetic.

A run that is done is not done again, so the command goes on where it was interrupted. With `--ours`
the folder of an earlier `unmask reproduce` lends our side.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import measure
import task_material

from unmask.checkpoint import native
from unmask.recipe.beginning import default_rate
from unmask.recipe.reproduce.datasets import DATA_SETS
from unmask.recipe.reproduce.running import reproduce
from unmask.recipe.reproduce.tables import TABLES, Row

TABLE = "tasks-few"
ROWS: dict[str, Row] = {row.name: row for row in TABLES[TABLE].rows}
FURTHEST_BELOW = 1.0
"""Points that the mean over the tasks may be below the peer's."""


def their_scores(row: Row, seed: int, folder: Path) -> dict[str, float]:
    """Of one run in a fresh process, or as an earlier one left them."""
    output = folder / f"{row.name}-{seed}.json"
    if not output.is_file():
        recipe = row.settings(seed)
        assert recipe.max_examples is not None
        parts = task_material.files(row.data)
        rate = default_rate(native.load(task_material.model()).config)
        options = {
            "--task": recipe.task,
            "--train": task_material.some(row.data, recipe.max_examples),
            "--test": parts.path("test"),
            "--model": task_material.model(),
            "--epochs": recipe.train.epochs,
            "--batch-size": recipe.train.batch_size,
            "--rate": rate,
            "--warmup": recipe.optim.warmup_rate,
            "--decay": recipe.optim.weight_decay,
            "--seed": seed,
            "--output": output,
        }
        words = [str(part) for option in options.items() for part in option]
        folder.mkdir(parents=True, exist_ok=True)
        script = Path(__file__).with_name("fine_tuning_peer.py")
        subprocess.run([sys.executable, str(script), *words], check=True)
    found: dict[str, float] = json.loads(output.read_text(encoding="utf-8"))
    return found


def summary(values: list[float]) -> dict[str, Any]:
    return {
        "mean": statistics.mean(values),
        "spread": statistics.stdev(values) if len(values) > 1 else 0.0,
        "values": values,
    }


def compared(our_rows: list[dict[str, Any]], peer: Path, num_seeds: int) -> dict[str, Any]:
    """Every shown score of every task, of both sides."""
    tasks: dict[str, Any] = {}
    for mine in our_rows:
        row = ROWS[mine["row"]]
        other = [their_scores(row, seed, peer) for seed in range(num_seeds)]
        tasks[row.name] = {
            "title": DATA_SETS[row.data].title,
            "main": DATA_SETS[row.data].shown[0],
            "scores": {
                name: {
                    "ours": summary(mine["scores"][name]["values"][:num_seeds]),
                    "theirs": summary([one[name] for one in other]),
                }
                for name in DATA_SETS[row.data].shown
            },
        }
    return tasks


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ours", type=Path, default=task_material.WORK / "ours")
    parser.add_argument("--quick", action="store_true", help="40 examples, 1 epoch, 1 seed, 1 task")
    parser.add_argument("--results", type=Path, default=measure.RESULTS)
    arguments = parser.parse_args()
    peer = task_material.WORK / "theirs"
    if arguments.quick:
        arguments.seeds, arguments.only = 1, ["sst2"]
        arguments.ours, peer = (
            task_material.WORK / "quick-ours",
            task_material.WORK / "quick-theirs",
        )
        quick = {"max_examples": 40, "train": {"epochs": 1}}
        ROWS["sst2"] = Row("sst2", "sst2", quick)
        TABLES[TABLE] = replace(TABLES[TABLE], rows=[ROWS["sst2"]])
    (report,) = reproduce(
        TABLE,
        arguments.ours,
        data=task_material.data(),
        model=task_material.model(),
        only=tuple(arguments.only),
        seeds=arguments.seeds,
    )
    tasks = compared(report.document["rows"], peer, arguments.seeds)
    main_scores = [one["scores"][one["main"]] for one in tasks.values()]
    means = {
        side: 100 * statistics.mean(score[side]["mean"] for score in main_scores)
        for side in ("ours", "theirs")
    }
    result = {
        "settings": {"seeds": arguments.seeds, "title": TABLES[TABLE].title},
        "tasks": tasks,
        "mean": means,
        "points_above": means["ours"] - means["theirs"],
        "allowed_below": FURTHEST_BELOW,
    }
    measure.keep("fine_tuning", result, arguments.results)


if __name__ == "__main__":
    main()
