"""One fine-tuning run with one seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from unmask.checkpoint.bundle import Bundle
from unmask.data.windows import WindowSource
from unmask.errors import UsageError
from unmask.recipe.beginning import begin, introduction, load, resolved
from unmask.recipe.config import Finetune
from unmask.recipe.examples import Examples
from unmask.recipe.hearing import Listen, ListeningLog
from unmask.recipe.keeper import RunKeeper, settings_of, weights_sha256
from unmask.recipe.outcome import Outcome, conclude
from unmask.recipe.together import Say
from unmask.tasks.predicting import raw_scores
from unmask.tasks.task import LabelledTask, Model
from unmask.text.tokenizer import Tokenizer
from unmask.train.compiling import compile_blocks
from unmask.train.distributed import World
from unmask.train.layers import rate_scales
from unmask.train.log import RunLog, SilentLog
from unmask.train.loop import Log, TrainingData, train
from unmask.train.optim import Optimizers
from unmask.train.row_adamw import look_up_sparsely
from unmask.train.selection import Selection

_EXAMPLES_AT_ONCE = 2048


def train_once(
    recipe: Finetune,
    model: Path | str,
    task: LabelledTask[Any, Any],
    examples: Examples,
    tests: list[Any] | None,
    run: Path,
    here: World,
    say: Say,
    listen: Listen | None,
    *,
    resume: bool,
) -> Outcome:
    """One run with one seed: trained, tuned on the validation examples, measured, published."""
    base = load(model)
    pretrained = weights_sha256(base.model.encoder)
    bundle = begin(recipe, base, task, say)
    tokenizer, longest = bundle.require_tokenizer(), bundle.max_length
    encoded = task.encode(examples.train, tokenizer, longest)
    source = WindowSource([window for windows in encoded for window in windows])
    recipe = resolved(recipe, bundle.config, len(source))

    def scored(some: list[Any]) -> list[Any]:
        found = raw_scores(bundle.model, task, some, tokenizer, longest)
        return [scores for _, scores in found]

    def measure(_: Model) -> dict[str, float]:
        return task.score(examples.validation, scored(examples.validation))

    metric = recipe.metric or task.metric
    for measured in filter(None, (examples.validation, tests)):
        _require_known_labels(task, measured, tokenizer, longest)
        _require_metric(metric, task, measured[:64], scored)
    say(introduction(recipe, bundle, examples, len(source), here))
    data = TrainingData(
        sources=(source,),
        transform=lambda batch, _: batch,
        measure=measure,
        selection=Selection(metric, recipe.train.patience),
    )
    keeper = RunKeeper(run, bundle, recipe, _identity(recipe, pretrained, bundle, examples), here)
    log: Log = RunLog(run, recipe.train, say) if here.is_first else SilentLog()
    if listen is not None:
        log = ListeningLog(log, recipe.train.evaluate_every, listen)
    _train(recipe, bundle, data, keeper, log, here, resume=resume)
    keeper.load_best()
    tuned = here.first(lambda: task.tuned(examples.validation, scored(examples.validation)))
    finished = replace(bundle, task=tuned)
    return here.first(lambda: conclude(keeper, recipe, finished, load(model), examples, tests))


def _train(
    recipe: Finetune,
    bundle: Bundle,
    data: TrainingData,
    keeper: RunKeeper,
    log: Log,
    here: World,
    *,
    resume: bool,
) -> None:
    """Trains from where the run's folder stands."""
    assert bundle.task is not None
    if here.size == 1:
        look_up_sparsely(bundle.model)
    scales = rate_scales(bundle.model, recipe.optim.layer_decay)
    optimizers = Optimizers(bundle.model.to(here.device), recipe.optim, scales)
    state = keeper.begin(optimizers, resume=resume)
    log.forget_after(state)
    if recipe.train.compile:
        compile_blocks(bundle.model.encoder, here.device)
    train(
        bundle.model,
        bundle.task,
        data,
        optimizers,
        state,
        recipe.train,
        recipe.optim,
        here,
        keeper,
        log,
    )


def _require_known_labels(
    task: LabelledTask[Any, Any], some: list[Any], tokenizer: Tokenizer, longest: int
) -> None:
    """Finds at once a label that training lacks, which else would end the run after its steps.

    Raises:
        DataError: There is one.
    """
    for start in range(0, len(some), _EXAMPLES_AT_ONCE):
        task.encode(some[start : start + _EXAMPLES_AT_ONCE], tokenizer, longest)


def _require_metric(
    metric: str,
    task: LabelledTask[Any, Any],
    some: list[Any],
    scored: Callable[[list[Any]], list[Any]],
) -> None:
    """Finds at once that there is no such score, or that examples without labels have none.

    Raises:
        UsageError, DataError: As it says.
    """
    there = task.score(some, scored(some))
    if metric not in there:
        raise UsageError(f"metric: {metric!r} is none of this task's: {', '.join(there)}.")


def _identity(
    recipe: Finetune, pretrained: str, bundle: Bundle, examples: Examples
) -> dict[str, Any]:
    """What must not change between two halves of one run."""
    return {
        "tokenizer": bundle.require_tokenizer().sha256,
        "examples": examples.sha256,
        "pretrained": pretrained,
        "architecture": bundle.config.model_dump(mode="json"),
        "settings": settings_of(recipe),
    }
