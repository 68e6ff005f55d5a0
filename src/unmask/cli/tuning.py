"""`unmask tune TASK`: one verb for each task, as of `unmask finetune`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from unmask.cli.flags import AsJson, given
from unmask.data.labelled.config import LabelledConfig
from unmask.recipe.tune.config import SearchSpace
from unmask.tasks.config import TASK_CONFIGS, WindowConfig
from unmask.train.config import FinetuningConfig, FinetuningOptimConfig

if TYPE_CHECKING:
    from unmask.recipe.tune.report import Tuned

app = App(name="tune", help="Searches for the fine-tuning settings that score best.")


def _verb(task: str, settings_type: type[WindowConfig]) -> Callable[..., None]:
    def verb(
        train: Path,
        /,
        *,
        model: str,
        output: Path,
        validation: Path | None = None,
        trials: int | None = None,
        space: Annotated[SearchSpace | None, Parameter(name="space")] = None,
        recipe: Path | None = None,
        validation_rate: float | None = None,
        max_examples: int | None = None,
        metric: str | None = None,
        freeze: str | None = None,
        reinitialise: int | None = None,
        dropout: float | None = None,
        settings: Any = None,
        data: Annotated[LabelledConfig | None, Parameter(name="data")] = None,
        train_: Annotated[FinetuningConfig | None, Parameter(name="train")] = None,
        optim: FinetuningOptimConfig | None = None,
        json: AsJson = False,
    ) -> None:
        from unmask.recipe import files
        from unmask.recipe.tune.config import Tune
        from unmask.recipe.tune.search import tune

        flags = given(
            {
                "task": task,
                "trials": trials,
                "space": space,
                "validation_rate": validation_rate,
                "max_examples": max_examples,
                "metric": metric,
                "freeze": freeze,
                "reinitialise": reinitialise,
                "dropout": dropout,
                "settings": settings,
                "data": data,
                "train": train_,
                "optim": optim,
            }
        )
        wanted = files.load(recipe, flags, Tune)
        _show(tune(train, model, output, wanted, validation=validation), as_json=json)

    verb.__name__ = task
    verb.__doc__ = f"""Searches for settings of `unmask finetune {task}`, by Optuna.

    The first trial is what finetune does by itself; one that falls behind the median of the earlier
    ones is cut short. The same command goes on where it was stopped or killed, and with more
    --trials further. Needs the extra `tune`.

    Parameters
    ----------
    train
        A file of labelled examples.
    model
        What to begin with: a model or run folder, or a hub id.
    output
        Folder for the trials and, in the end, the best model, its recipe best.toml, a table of
        trials and pictures.
    validation
        Examples by which settings and weights are chosen; without it some of TRAIN are held out.
    trials
        Runs in all, those of earlier calls included (20 by default).
    recipe
        A TOML file of settings, the table `space` among them; flags win over it.
    validation_rate
        Share of TRAIN held out where --validation is not given.
    max_examples
        Most training examples, drawn by a fixed shuffle.
    metric
        The score that is searched for, higher being better.
    freeze
        What is not trained: `encoder`, `embeddings`, or the N lowest blocks with them.
    reinitialise
        Top blocks that begin with fresh weights.
    dropout
        Share zeroed while training; without it as the model was pretrained.
    """
    verb.__annotations__["settings"] = Annotated[settings_type | None, Parameter(name="*")]
    return verb


def _show(tuned: Tuned, *, as_json: bool) -> None:
    """The trials in order, the best one marked; then what matters, and where things lie."""
    from unmask.terminal import show, show_table

    if as_json:
        show(tuned.as_dict(), [], as_json=True)
        return
    names = list(tuned.best.parameters)
    rows = [
        (
            f"{trial.number}{' *' if trial == tuned.best else ''}",
            "" if trial.score is None else f"{trial.score:.4f}",
            *(f"{trial.parameters[name]:.3g}" for name in names),
            f"{trial.seconds:,.0f}",
            trial.state,
        )
        for trial in tuned.trials
    ]
    spaced = [name.replace("_", " ") for name in names]  # may be broken in two
    show_table(["trial", tuned.metric, *spaced, "seconds", ""], rows)
    if tuned.importances:
        shares = (f"{name} {share:.0%}" for name, share in tuned.importances.items())
        print(f"variance explained: {', '.join(shares)}")
    print(
        f"* the best on the validation examples; among {len(tuned.trials)} trials that flatters, "
        f"so measure it on a test set\nmodel: {tuned.folder}\nrecipe: {tuned.recipe}"
    )


for _task, _settings_type in TASK_CONFIGS.items():
    app.command(_verb(_task, _settings_type), name=_task)
