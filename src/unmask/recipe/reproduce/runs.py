"""The single runs of a table: their folders, what they are made of, and whether they are done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmask.checkpoint.native import MODEL_FOLDER
from unmask.errors import UsageError, writing
from unmask.recipe.outcome import SCORES_FILE
from unmask.recipe.reproduce.tables import TABLES, Row
from unmask.recipe.reproduce.writing import Files

_TRAINING_COST = 3
"""Forward and backward together, in forwards."""


@dataclass(frozen=True)
class Run:
    """One row with one seed."""

    table: str
    row: Row
    seed: int
    files: Files
    output: Path
    """The folder of all tables."""

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.table} {self.row.name}, seed {self.seed}"

    @property
    def folder(self) -> Path:
        """Where it trains."""
        return self.output / self.table / self.row.name / f"seed-{self.seed}"

    @property
    def num_train(self) -> int:
        """Examples that it trains on."""
        given = self.files.counts["train"]
        return min(given, self.row.settings(self.seed).max_examples or given)

    @property
    def cost(self) -> float:
        """What it takes, in characters read: only good for guessing the time that is left."""
        recipe, characters = self.row.settings(self.seed), self.files.characters
        share = self.num_train / self.files.counts["train"]
        epoch = _TRAINING_COST * share * characters["train"] + characters["validation"]
        return recipe.train.epochs * epoch + characters["validation"] + characters["test"]

    @property
    def is_finished(self) -> bool:
        """Whether its figures are there."""
        return self._scores.is_file()

    def outcome(self) -> dict[str, Any]:
        """The figures of a finished run, see `Outcome.as_dict`."""
        found: dict[str, Any] = json.loads(self._scores.read_text(encoding="utf-8"))
        return found

    @property
    def _scores(self) -> Path:
        return self.folder / MODEL_FOLDER / SCORES_FILE

    def claim(self, model_sha256: str) -> None:
        """Writes down beside the folder what the run is made of.

        Raises:
            UsageError: It was begun, perhaps finished, with something else.
        """
        wanted = {
            "recipe": self.row.settings(self.seed).model_dump(mode="json"),
            "start": self.row.start,
            "examples": self.files.sha256,
            "model": model_sha256,
        }
        note = self.folder.with_suffix(".json")
        if note.is_file():
            before = json.loads(note.read_text(encoding="utf-8"))
            if changed := [name for name in wanted if differs(before.get(name), wanted[name])]:
                raise UsageError(
                    f"{self.folder}: was run with another {' and '.join(changed)}; its figures "
                    "would stand in one table with others. Choose another --output, or delete "
                    "the folder and the .json beside it."
                )
            return
        with writing(note):
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")


def differs(before: Any, now: Any) -> bool:
    """Whether anything that was written down is another now; a setting that is new is not."""
    if isinstance(before, dict) and isinstance(now, dict):
        return any(name not in now or differs(value, now[name]) for name, value in before.items())
    return bool(before != now)


def runs_of(
    tables: Sequence[str], files: dict[str, Files], output: Path, seeds: int | None
) -> Iterator[Run]:
    """Every run of these tables whose data set is among the files, row by row."""
    for table in tables:
        for row in TABLES[table].rows:
            if row.data in files:
                for seed in range(row.seeds if seeds is None else seeds):
                    yield Run(table, row, seed, files[row.data], output)
