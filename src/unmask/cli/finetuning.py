"""`unmask finetune TASK`: one verb for each task, which differ in the task's own settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from unmask.cli.flags import AsJson, given
from unmask.data.labelled.config import LabelledConfig
from unmask.recipe.config import Adaptation
from unmask.tasks.config import TASK_CONFIGS, WindowConfig
from unmask.train.config import FinetuningConfig, FinetuningOptimConfig

app = App(name="finetune", help="Trains a pretrained encoder on labelled examples.")

_LEARNS = {
    "classification": "Learns the label, the labels or a number of a text or a pair of texts.",
    "multiple-choice": "Learns which of several choices goes with a text.",
    "tagging": "Learns a tag for every word: named entities, parts of speech.",
    "qa": "Learns to find the span of a context that answers a question.",
}


def _verb(task: str, settings_type: type[WindowConfig]) -> Callable[..., None]:
    def verb(
        train: Path,
        /,
        *,
        model: str,
        output: Path,
        validation: Path | None = None,
        test: Path | None = None,
        recipe: Path | None = None,
        validation_rate: float | None = None,
        max_examples: int | None = None,
        metric: str | None = None,
        freeze: str | None = None,
        reinitialise: int | None = None,
        dropout: float | None = None,
        adapt: Path | None = None,
        adaptation: Adaptation | None = None,
        seeds: int | None = None,
        baselines: bool | None = None,
        settings: Any = None,
        data: Annotated[LabelledConfig | None, Parameter(name="data")] = None,
        train_: Annotated[FinetuningConfig | None, Parameter(name="train")] = None,
        optim: FinetuningOptimConfig | None = None,
        resume: bool = False,
        json: AsJson = False,
    ) -> None:
        from unmask.cli.outcome import show_outcome
        from unmask.recipe import files
        from unmask.recipe.config import Finetune
        from unmask.recipe.finetune import finetune
        from unmask.train.distributed import is_first_process

        flags = given(
            {
                "task": task,
                "validation_rate": validation_rate,
                "max_examples": max_examples,
                "metric": metric,
                "freeze": freeze,
                "reinitialise": reinitialise,
                "dropout": dropout,
                "adaptation": adaptation,
                "seeds": seeds,
                "baselines": baselines,
                "settings": settings,
                "data": data,
                "train": train_,
                "optim": optim,
            }
        )
        outcome = finetune(
            train,
            model,
            output,
            files.load(recipe, flags, Finetune),
            validation=validation,
            test=test,
            adapt_to=adapt,
            resume=resume,
        )
        if is_first_process():
            show_outcome(outcome, as_json=json)

    verb.__name__ = task
    verb.__doc__ = f"""{_LEARNS[task]}

    Parameters
    ----------
    train
        A file of labelled examples.
    model
        What to begin with: a model or run folder, or a hub id.
    output
        Folder for checkpoints, metrics and, in the end, the model.
    validation
        Examples by which the best weights are chosen; without it some of TRAIN are held out.
    test
        Examples that are scored once, at the end, with confidence intervals.
    recipe
        A TOML file of settings; flags win over it.
    validation_rate
        Share of TRAIN held out where --validation is not given.
    max_examples
        Most training examples, drawn by a fixed shuffle.
    metric
        The score by which the best weights are chosen.
    freeze
        What is not trained: `encoder`, `embeddings`, or the N lowest blocks with them.
    reinitialise
        Top blocks that begin with fresh weights.
    dropout
        Share zeroed while training; without it as the model was pretrained.
    adapt
        Text of the task's domain, without labels: pretraining goes on with it first.
    seeds
        Runs with different seeds, of which mean and spread are told.
    baselines
        Also scores TF-IDF with logistic regression, and a linear probe of the frozen encoder.
    resume
        Goes on from the newest checkpoint, or begins where there is none.
    """
    verb.__annotations__["settings"] = Annotated[settings_type | None, Parameter(name="*")]
    return verb


for _task, _settings_type in TASK_CONFIGS.items():
    app.command(_verb(_task, _settings_type), name=_task)
