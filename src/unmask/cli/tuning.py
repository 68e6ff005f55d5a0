"""`unmask tune TASK`: one verb for each task, as of `unmask finetune`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from unmask.cli.flags import AsJson, LabelledFile, Pretrained, RecipeFile, given
from unmask.data.labelled.config import LabelledConfig
from unmask.recipe.config import TrialChoices
from unmask.recipe.tune.config import SearchSpace, Tune
from unmask.tasks.config import TASK_CONFIGS
from unmask.tasks.length_config import LengthConfig
from unmask.train.config import FinetuningConfig, FinetuningOptimConfig

if TYPE_CHECKING:
    from unmask.recipe.tune.report import Tuned

app = App(name="tune", help="Searches for the fine-tuning settings that score best.")

_HELP = """Searches for settings of `unmask finetune {task}`, with Optuna.

    The first trial takes finetune's own settings; a trial that falls behind the median of the
    earlier ones is cut short. The same command goes on where a search was stopped or killed, and
    with more --trials goes further. Needs the extra `tune`.

    Parameters
    ----------
    output
        Folder for the trials and, in the end, the best model, its recipe best.toml, a table of
        trials and pictures.
    validation
        Examples by which settings and weights are chosen; without it some of TRAIN are held out.
    trials
        Runs in all, those of earlier calls included (20 by default).
    """


def _verb(task: str, settings_type: type[LengthConfig]) -> Callable[..., None]:
    def verb(
        train: LabelledFile,
        /,
        *,
        model: Pretrained,
        output: Path,
        validation: Path | None = None,
        trials: int | None = None,
        space: SearchSpace | None = None,
        recipe: RecipeFile = None,
        choices: Annotated[TrialChoices | None, Parameter(name="*")] = None,
        settings: Any = None,
        data: LabelledConfig | None = None,
        train_: Annotated[FinetuningConfig | None, Parameter(name="train")] = None,
        optim: FinetuningOptimConfig | None = None,
        json: AsJson = False,
    ) -> None:
        from unmask.recipe import files
        from unmask.recipe.tune.search import tune

        tables = {"space": space, "settings": settings, "data": data}
        flags = given(choices, {**tables, "train": train_, "optim": optim})
        if trials is not None:
            flags["trials"] = trials
        wanted = files.load(recipe, {"task": task, **flags}, Tune)
        _show(tune(train, model, output, wanted, validation=validation), as_json=json)

    verb.__name__ = task
    verb.__doc__ = _HELP.format(task=task)
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
        f"* the best on the validation examples; the best of {len(tuned.trials)} looks better than "
        f"it is, so measure it on a test set\nmodel: {tuned.folder}\nrecipe: {tuned.recipe}"
    )


for _task, _settings_type in TASK_CONFIGS.items():
    app.command(_verb(_task, _settings_type), name=_task)
