"""The page of what fine-tuning gives: the tables of `unmask reproduce`, as its folder has them.

`unmask reproduce tasks --output RUNS` and `python benchmarks/tasks.py RUNS`; tables that
the folders lack stay as earlier folders gave them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import material
import measure
import run as page
from tables import Figures

from unmask.recipe.reproduce.report import markdown
from unmask.recipe.reproduce.tables import TABLES

PAGE = material.ROOT / "docs" / "tasks.md"


def tasks(result: Figures) -> str:
    tables = [markdown(result["tables"][name]) for name in TABLES if name in result["tables"]]
    return "\n\n".join(
        [
            "# What fine-tuning gives",
            "Every row is a run of `unmask finetune` with its defaults, but for what is said, on a "
            "published data set, and scored once on its published test part (where only a "
            "development set has labels, on that; then a tenth of train is held out to choose the "
            "epoch, thresholds and calibration by). The encoder of the first tables is "
            "all-MiniLM-L6-v2: 6 layers, hidden 384, trained for sentence embeddings by its "
            "authors. That of the last ones, `runs/mini`, is [the mini BERT that was pretrained on "
            "books for 45 minutes](books.md).",
            "`unmask reproduce tasks`, `pretraining` and `adaptation`, each with `--data FOLDER` "
            "and the latter two with `--model MINI`, run what stands here again; the script named "
            "at the end writes the page out of their folders. Of several seeds the interval is the "
            "mean of each one's bounds, and says nothing of the spread over seeds. "
            "[transformers beside the first table](benchmarks.md#a-thousand-labels).",
            "What to read in them: 45 minutes of pretraining on old novels help where words and "
            "their neighbours decide (parts of speech, names), and not where one vector has to "
            "hold a whole text: on MRPC and SNLI there is no difference beyond the intervals, and "
            "on SST-2 the random start was the better one. Adaptation to as little text as these "
            "data sets have made no difference beyond the spread over seeds.",
            *(table.strip() for table in tables),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "runs", type=Path, nargs="+", help="what `unmask reproduce --output` named, each time"
    )
    arguments = parser.parse_args()
    stored = measure.RESULTS / "tasks.json"
    tables = json.loads(stored.read_text(encoding="utf-8"))["tables"] if stored.is_file() else {}
    for folder in arguments.runs:
        for name in TABLES:
            found = folder / f"{name}.json"
            if found.is_file():
                tables[name] = json.loads(found.read_text(encoding="utf-8"))
    kept = measure.keep("tasks", {"tables": tables}, measure.RESULTS)
    PAGE.write_text(f"{tasks(kept)}\n\n{page.origin('tasks', kept['machine'])}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
