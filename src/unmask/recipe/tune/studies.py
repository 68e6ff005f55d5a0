"""The record of a search: an Optuna study in an SQLite file, found again after a kill."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.checkpoint.lock import LOCK
from unmask.errors import DataError, MachineError, UsageError
from unmask.recipe.identity import require_same
from unmask.recipe.tune.config import Parameters

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

STUDY_FILE = "study.db"
_NAME = "unmask tune"
_IDENTITY = "identity"
_RETRIES = "retries"
"""Attribute of a trial: the number of the killed one that it goes on with."""
_LOGARITHMIC = {"learning_rate"}
_ANY_OF = {"batch_size"}

Choices = dict[str, tuple[float, ...]]


def require_optuna() -> None:
    """Raises MachineError where Optuna is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise MachineError(
            "searching for settings needs Optuna, which is not installed: pip install "
            "'unmask[tune]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def require_ours(output: Path) -> None:
    """Refuses a folder in which something else lies.

    Raises:
        UsageError: It does.
    """
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output}: is not a folder; choose another --output.")
    there = {path.name for path in output.iterdir()} if output.is_dir() else set()
    others = {name for name in there - {LOCK} if not name.endswith("rejects.jsonl")}
    if others and STUDY_FILE not in there:
        raise UsageError(
            f"{output}: holds something else, which stays untouched; choose another --output."
        )


@contextmanager
def opened(output: Path, identity: dict[str, Any], first: Parameters) -> Iterator[Study]:
    """The study in the output folder, a new one where there is none or none that learned anything.

    What a killed process was at is next in line again. A new study tries `first` first.

    Raises:
        DataError: The file there is none.
        UsageError: It is a search of something else.
    """
    import optuna
    from sqlalchemy.exc import DatabaseError
    from sqlalchemy.pool import NullPool

    file = output / STUDY_FILE
    try:
        storage = optuna.storages.RDBStorage(
            "sqlite://",  # an address could not hold every path
            {"creator": lambda: sqlite3.connect(file), "poolclass": NullPool},
        )
        study = _study(storage)
        before = json.loads(study.user_attrs.get(_IDENTITY, "null"))
        has_learned = any(trial.intermediate_values or trial.values for trial in study.trials)
    except (DatabaseError, RuntimeError, AssertionError, ValueError) as error:
        raise DataError(
            f"{file}: is no record of a search that can be read "
            f"({str(error).splitlines()[0]}). Choose another --output, or move it away."
        ) from error
    try:
        if before != identity and not has_learned:
            optuna.delete_study(study_name=_NAME, storage=storage)
            for folder in output.glob("trial-*"):
                shutil.rmtree(folder)
            study = _study(storage)
            study.enqueue_trial(first)
            study.set_user_attr(_IDENTITY, json.dumps(identity))
        elif before != identity:
            require_same(before or {}, identity, output)
        _retry_killed(study)
        yield study
    finally:
        storage.remove_session()


def _study(storage: BaseStorage) -> Study:
    import optuna

    return optuna.create_study(
        storage=storage,
        pruner=optuna.pruners.MedianPruner(),
        study_name=_NAME,
        direction="maximize",
        load_if_exists=True,
    )


def ended(study: Study) -> list[FrozenTrial]:
    """The trials that came to an end of their own, in order; killed ones are not among them."""
    retried = {trial.user_attrs.get(_RETRIES) for trial in study.trials}
    return [
        trial for trial in study.trials if trial.state.is_finished() and trial.number not in retried
    ]


def best(study: Study) -> FrozenTrial | None:
    """The trial with the highest score of those that were not cut short, the first of equals."""
    done = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    return max(done, key=score_of, default=None)


def score_of(trial: FrozenTrial) -> float:
    """The score that a trial ended with, or was cut short at; NaN where it failed."""
    return float("nan") if trial.values is None else float(trial.values[0])


def _retry_killed(study: Study) -> None:
    """Marks what a killed process was at as failed, and puts the same settings next in line."""
    from optuna.trial import TrialState

    retried = {trial.user_attrs.get(_RETRIES) for trial in study.trials}
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if trial.number not in retried:  # in line first: a kill between the two loses nothing
            study.enqueue_trial(trial.params, {_RETRIES: trial.number})
        study.tell(trial.number, state=TrialState.FAIL)


def next_trial(study: Study, choices: Choices, seed: int) -> tuple[Trial, dict[int, float]]:
    """The next trial, and the scores by evaluation that it had before it was killed.

    What it tries depends on the seed and the ended trials alone: a search that was killed and
    went on tries what an undisturbed one does.
    """
    import optuna

    state = np.random.SeedSequence([seed, len(ended(study))]).generate_state(1)
    study.sampler = optuna.samplers.TPESampler(seed=int(state[0]))
    trial = study.ask({name: _distribution(name, choices[name]) for name in choices})
    killed = trial.user_attrs.get(_RETRIES)
    known = {} if killed is None else dict(study.trials[killed].intermediate_values)
    for number, score in known.items():
        trial.report(score, number)
    return trial, known


def _distribution(name: str, values: tuple[float, ...]) -> BaseDistribution:
    from optuna import distributions

    if name in _ANY_OF:
        return distributions.CategoricalDistribution(values)
    low, high = values
    if isinstance(low, int) and isinstance(high, int):
        return distributions.IntDistribution(low, high)
    return distributions.FloatDistribution(low, high, log=name in _LOGARITHMIC)
