"""What a search came to: the best model, its recipe, a table of trials, and two pictures."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unmask.checkpoint import native
from unmask.checkpoint.durable import MANIFEST
from unmask.recipe.tune import pictures, studies
from unmask.recipe.tune.config import Parameters, Tune
from unmask.recipe.tune.toml import as_toml

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

RECIPE_FILE = "best.toml"
TRIALS_FILE = "trials.json"
HISTORY_FILE = "history.png"
IMPORTANCE_FILE = "importance.png"
_FEW_TRIALS = 4
"""Below so many that came to their end, nothing can be said of what matters."""
_STATES: dict[str, Literal["done", "cut short", "failed"]] = {
    "COMPLETE": "done",
    "PRUNED": "cut short",
    "FAIL": "failed",
}


@dataclass(frozen=True)
class TrialRow:
    """One trial."""

    number: int
    """From 1, in the order they were run."""
    state: Literal["done", "cut short", "failed"]
    score: float | None
    """At the end, or where it was cut short; None where it failed before any evaluation."""
    parameters: Parameters
    """What it tried."""
    seconds: float
    """Wall-clock time, without what went before a kill."""


@dataclass(frozen=True)
class Tuned:
    """The best settings, and the model that they gave."""

    folder: Path
    """The best trial's model, ready to serve."""
    recipe: Path
    """What `unmask finetune --recipe` takes to make it again."""
    metric: str
    """The score that was searched for; on the validation examples, so the best one flatters."""
    best: TrialRow
    trials: tuple[TrialRow, ...]
    importances: Parameters
    """Share of the scores' variance that each setting explains (functional ANOVA, Hutter et al.
    2014), in all 1; empty where too few trials came to their end."""

    def as_dict(self) -> dict[str, Any]:
        """For trials.json and `--json`."""
        return {
            "model": str(self.folder),
            "recipe": str(self.recipe),
            "metric": self.metric,
            "best": asdict(self.best),
            "importances": self.importances,
            "trials": [asdict(trial) for trial in self.trials],
        }


def conclude(
    study: Study, recipe: Tune, metric: str, output: Path, folder_of: Callable[[int], Path]
) -> Tuned:
    """Publishes the best trial's model, and writes recipe, table and pictures beside it."""
    ended, chosen = studies.ended(study), studies.best(study)
    assert chosen is not None
    rows = tuple(_row(number, trial) for number, trial in enumerate(ended, 1))
    best = rows[ended.index(chosen)]
    tuned = Tuned(
        folder=output / native.MODEL_FOLDER,
        recipe=output / RECIPE_FILE,
        metric=metric,
        best=best,
        trials=rows,
        importances=_importances(study),
    )
    source = folder_of(best.number) / native.MODEL_FOLDER
    native.write_folder(tuned.folder, lambda folder: _copy(source, folder))
    settings = recipe.with_parameters(best.parameters)
    found = settings.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    said = (
        f"# The best of {len(rows)} trials of `unmask tune`: {metric} {best.score:.4f} on the\n"
        "# validation examples. For `unmask finetune --recipe`.\n"
    )
    tuned.recipe.write_text(said + as_toml(found), encoding="utf-8")
    text = json.dumps(tuned.as_dict(), indent=2) + "\n"
    (output / TRIALS_FILE).write_text(text, encoding="utf-8")
    pictures.history([(row.state, row.score) for row in rows], metric, output / HISTORY_FILE)
    if tuned.importances:
        pictures.importance(tuned.importances, metric, output / IMPORTANCE_FILE)
    return tuned


def shown(parameters: Parameters) -> str:
    """The values on one line."""
    return (
        ", ".join(f"{name} {value:.3g}" for name, value in parameters.items()) or "nothing varied"
    )


def _row(number: int, trial: FrozenTrial) -> TrialRow:
    score = studies.score_of(trial)
    return TrialRow(
        number=number,
        state=_STATES[trial.state.name],
        score=None if math.isnan(score) else score,
        parameters=trial.params,
        seconds=0.0 if trial.duration is None else round(trial.duration.total_seconds(), 1),
    )


def _importances(study: Study) -> Parameters:
    from optuna import importance

    done = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    varied = [
        name
        for name in done[0].params
        if len({trial.params[name] for trial in done}) > 1
        and len({*map(studies.score_of, done)}) > 1
    ]
    if len(done) < _FEW_TRIALS or not varied:
        return {}
    evaluator = importance.FanovaImportanceEvaluator(seed=0)
    found = importance.get_param_importances(study, evaluator=evaluator, params=varied)
    return {name: float(share) for name, share in found.items()}


def _copy(source: Path, target: Path) -> None:
    for file in source.iterdir():
        if file.name != MANIFEST:
            shutil.copyfile(file, target / file.name)
