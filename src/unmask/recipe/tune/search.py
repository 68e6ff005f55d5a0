"""The search itself: one fine-tuning run after another, the hopeless ones cut short."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.lock import RunLock
from unmask.checkpoint.native import MODEL_FOLDER
from unmask.checkpoint.runs import is_begun, tidy
from unmask.errors import DataError, Stopped, UsageError, writing
from unmask.models.config import EncoderConfig
from unmask.recipe.beginning import default_rate, load, require_no_control
from unmask.recipe.examples import Examples, read_both, reading_config
from unmask.recipe.finetune import finetune_examples
from unmask.recipe.identity import settings_of, weights_sha256
from unmask.recipe.together import Say, on_stderr
from unmask.recipe.tune import studies
from unmask.recipe.tune.config import Tune
from unmask.recipe.tune.report import Tuned, conclude, shown
from unmask.tasks.registry import TASKS
from unmask.train.config import FinetuningConfig, FinetuningOptimConfig

if TYPE_CHECKING:
    from optuna import Study

_FREE = {"trials", "space", "baselines"}
"""Settings that do not change what a trial comes to, or stand in its own recipe."""


@dataclass(frozen=True)
class _Search:
    """What all trials share."""

    study: Study
    recipe: Tune
    examples: Examples
    model: Path | str
    choices: studies.Choices
    metric: str
    output: Path
    say: Say

    def folder(self, number: int) -> Path:
        """Where the run of the so-many-th trial lies."""
        return self.output / f"trial-{number}"


def tune(
    train_file: Path | str,
    model: Path | str,
    output: Path | str,
    recipe: Tune,
    *,
    validation: Path | str | None = None,
    say: Say | None = None,
) -> Tuned:
    """Searches for settings by which fine-tuning scores best on the validation examples.

    The first trial is what `finetune` does by itself, as far as the space allows it. A trial that
    is behind the median of the earlier ones at the same evaluation is cut short. The same call goes
    on with a search that was stopped or killed, in the midst of the trial too; with more `trials`
    it goes on further. Of the many scores the best one flatters: measure the model on a test set.

    Raises:
        UsageError: The output is in use or holds something else, or settings that do not fit.
        DataError: Examples or a model that cannot be used, or no trial that came to its end.
        MachineError: Optuna is not installed.
        Stopped: A signal ended the search early; the same call goes on.
    """
    studies.require_optuna()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("tune runs in one process; start it without torchrun.")
    say = say or on_stderr
    run = Path(output)
    studies.require_ours(run)
    require_no_control(model)
    with RunLock(run):
        examples = read_both(
            recipe.task,
            train_file,
            validation,
            reading_config(recipe.settings, recipe.data),
            recipe.validation_rate,
            recipe.max_examples,
            run,
            say,
        )
        metric = recipe.metric or TASKS[recipe.task].begin(recipe.settings, examples.train).metric
        base = load(model)
        choices = recipe.choices(base.config)
        identity = _identity(recipe, examples, base, choices)
        with studies.opened(run, identity, _usual(choices, base.config)) as study:
            search = _Search(study, recipe, examples, model, choices, metric, run, say)
            _tidy(search)
            _try_all(search)
            with writing(run):
                return conclude(study, recipe, metric, run, search.folder)


def _identity(
    recipe: Tune, examples: Examples, base: Bundle, choices: studies.Choices
) -> dict[str, Any]:
    """What must not change between two halves of one search."""
    settings = settings_of(recipe)
    return {
        "examples": examples.sha256,
        "pretrained": weights_sha256(base.model),
        "settings": {name: v for name, v in settings.items() if name not in _FREE},
        "space": {name: list(values) for name, values in choices.items()},
    }


def _try_all(search: _Search) -> None:
    """As many trials as are missing.

    Raises:
        Stopped: A signal came.
        DataError: None came to its end.
    """
    number = 0
    try:
        while (number := len(studies.ended(search.study)) + 1) <= search.recipe.trials:
            _try(search, number)
    except (KeyboardInterrupt, Stopped) as error:
        raise Stopped(
            f"stopped in trial {number} of {search.recipe.trials} as asked; everything is saved, "
            "the same command goes on"
        ) from error
    if studies.best(search.study) is None:
        raise DataError(
            f"{search.output}: none of {number - 1} trials came to its end; the reasons are above. "
            "Lower --space.learning-rate, or look at the examples with `unmask doctor`."
        )


def _try(search: _Search, number: int) -> None:
    """One trial, told to the study."""
    from optuna.exceptions import TrialPruned
    from optuna.trial import TrialState

    study, recipe = search.study, search.recipe
    trial, known = studies.next_trial(study, search.choices, recipe.train.seed)
    name = f"trial {number} of {recipe.trials}"
    search.say(f"{name}: {shown(trial.params)}")

    def listen(evaluation: int, scores: dict[str, float]) -> None:
        if evaluation not in known:
            trial.report(scores[search.metric], evaluation)
        if trial.should_prune():
            raise TrialPruned

    settings = recipe.with_parameters(trial.params).model_copy(
        update={"baselines": False, "pictures": False}
    )
    try:
        outcome = finetune_examples(
            search.examples,
            search.model,
            search.folder(number),
            settings,
            resume=is_begun(search.folder(number)),
            say=search.say,
            listen=listen,
        )
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
        search.say(f"{name}: cut short, behind the median of the earlier ones")
    except DataError as error:
        study.tell(trial, state=TrialState.FAIL)
        if studies.best(study) is None:
            raise
        search.say(f"{name}: failed: {error}")
    else:
        study.tell(trial, outcome.validation[search.metric])
        search.say(f"{name}: {search.metric} {outcome.validation[search.metric]:.4f}")
    _tidy(search)


def _tidy(search: _Search) -> None:
    """Deletes the weights of all ended trials but the best one's model; a search makes many."""
    chosen = studies.best(search.study)
    for number, trial in enumerate(studies.ended(search.study), 1):
        folder = search.folder(number)
        tidy(folder)
        if chosen is None or trial.number != chosen.number:
            shutil.rmtree(folder / MODEL_FOLDER, ignore_errors=True)


def _usual(choices: studies.Choices, config: EncoderConfig) -> dict[str, Any]:
    """What `finetune` does by itself, where the space has it."""
    train, optim = FinetuningConfig(), FinetuningOptimConfig()
    usual = {
        "learning_rate": default_rate(config),
        "batch_size": train.batch_size,
        "epochs": int(train.epochs),
        "layer_decay": optim.layer_decay,
        "dropout": config.hidden_dropout_prob,
        "warmup_rate": optim.warmup_rate,
    }
    return {
        name: usual[name]
        for name, values in choices.items()
        if (
            usual[name] in values if name == "batch_size" else values[0] <= usual[name] <= values[1]
        )
    }
