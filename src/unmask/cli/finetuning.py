"""`unmask finetune TASK`: one verb for each task, which differ in the task's own settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from unmask.cli.flags import AsJson, LabelledFile, Pretrained, RecipeFile, Resume, given, resumable
from unmask.data.labelled.config import LabelledConfig
from unmask.recipe.config import Adaptation, Finetune, FinetuneChoices
from unmask.tasks.config import TASK_CONFIGS
from unmask.tasks.length_config import LengthConfig
from unmask.train.config import FinetuningConfig, FinetuningOptimConfig

app = App(name="finetune", help="Trains a pretrained encoder on labelled examples.")

_LEARNS = {
    "classification": "Learns to give a text, or a pair of texts, one label, several, or a number.",
    "multiple-choice": "Learns which of several choices goes with a text.",
    "tagging": "Learns a tag for every word, as for named entities or parts of speech.",
    "qa": "Learns to find the span of a context that answers a question.",
    "embedding": "Learns vectors of texts that lie near where the texts are alike.",
    "reranking": "Learns how well documents answer a query, to put them in order.",
}


_HELP = """{learns}

    Parameters
    ----------
    output
        Folder for checkpoints, metrics and, in the end, the model.
    validation
        Examples by which the best weights are chosen; without it some of TRAIN are held out.
    test
        Examples that are scored once, at the end, with confidence intervals.
    adapt
        Unlabelled text of the task's domain, on which pretraining goes on first.
    """


def _verb(task: str, settings_type: type[LengthConfig]) -> Callable[..., None]:
    def verb(
        train: LabelledFile,
        /,
        *,
        model: Pretrained,
        output: Path,
        validation: Path | None = None,
        test: Path | None = None,
        recipe: RecipeFile = None,
        choices: Annotated[FinetuneChoices | None, Parameter(name="*")] = None,
        adapt: Path | None = None,
        adaptation: Adaptation | None = None,
        settings: Any = None,
        data: LabelledConfig | None = None,
        train_: Annotated[FinetuningConfig | None, Parameter(name="train")] = None,
        optim: FinetuningOptimConfig | None = None,
        resume: Resume = False,
        json: AsJson = False,
    ) -> None:
        from unmask.cli.outcome import show_outcome
        from unmask.recipe import files
        from unmask.recipe.finetune import finetune
        from unmask.train.distributed import is_first_process

        tables = {"adaptation": adaptation, "settings": settings, "data": data}
        flags = given(choices, {**tables, "train": train_, "optim": optim})
        wanted = files.load(recipe, {"task": task, **flags}, Finetune)
        with resumable():
            outcome = finetune(
                train,
                model,
                output,
                wanted,
                validation=validation,
                test=test,
                adapt_to=adapt,
                resume=resume,
            )
        if is_first_process():
            show_outcome(outcome, as_json=json)

    verb.__name__ = task
    verb.__doc__ = _HELP.format(learns=_LEARNS[task])
    verb.__annotations__["settings"] = Annotated[settings_type | None, Parameter(name="*")]
    return verb


for _task, _settings_type in TASK_CONFIGS.items():
    app.command(_verb(_task, _settings_type), name=_task)
