"""Fine-tuning: from labelled examples and a pretrained encoder to a model that answers."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.lock import RunLock
from unmask.data.windows import WindowSource
from unmask.errors import UsageError
from unmask.recipe.adapt import adapt
from unmask.recipe.beginning import begin, introduction, load, resolved
from unmask.recipe.config import Finetune
from unmask.recipe.examples import Examples, read, read_both, reading_config
from unmask.recipe.hearing import Listen, ListeningLog
from unmask.recipe.keeper import RunKeeper, require_new, settings_of, weights_sha256
from unmask.recipe.outcome import Outcome, conclude, summarised
from unmask.tasks.predicting import raw_scores
from unmask.tasks.registry import TASKS
from unmask.tasks.task import LabelledTask, Model
from unmask.train.compiling import compile_blocks
from unmask.train.distributed import World, world
from unmask.train.layers import rate_scales
from unmask.train.log import RunLog, SilentLog
from unmask.train.loop import Log, TrainingData, train
from unmask.train.optim import Optimizers
from unmask.train.selection import Selection

logger = logging.getLogger(__name__)

Say = Callable[[str], None]


def finetune(
    train_file: Path | str,
    model: Path | str,
    output: Path | str,
    recipe: Finetune,
    *,
    validation: Path | str | None = None,
    test: Path | str | None = None,
    adapt_to: Path | str | None = None,
    resume: bool = False,
    say: Say | None = None,
) -> Outcome:
    """Trains `model` on the examples of a file and writes the result to `output`/model.

    The best weights are chosen on the validation examples, which also fit temperature and
    thresholds; `test` is scored once, at the end. With `adapt_to`, a file of unlabelled text,
    pretraining is gone on with first (`adapt`). With several seeds each run has a folder of its
    own. `say` hears one line at a time and prints to stderr by default.

    Raises:
        UsageError: The output is in use or holds another run, or settings that do not fit.
        DataError: Examples or a model that cannot be used, or a loss that stays not finite.
        Stopped: A signal ended the run early; its state is saved.
    """
    run = Path(output)
    with _begun(recipe, run, say, resume=resume) as (here, heard):
        config = reading_config(recipe.settings, recipe.data)
        examples = read_both(
            recipe.task,
            train_file,
            validation,
            config,
            recipe.validation_rate,
            recipe.max_examples,
            run,
            heard,
        )
        tests = None if test is None else read(recipe.task, test, config)
        if adapt_to is not None:
            model = adapt(Path(adapt_to), model, run, recipe, here, heard)
        return _train_seeds(recipe, model, examples, tests, run, here, heard, None, resume=resume)


def finetune_examples(
    examples: Examples,
    model: Path | str,
    output: Path | str,
    recipe: Finetune,
    *,
    resume: bool = False,
    say: Say | None = None,
    listen: Listen | None = None,
) -> Outcome:
    """The same for examples that are in memory; how files are read does not matter here.

    `listen` hears every evaluation; what it raises ends the run, which `resume` can go on with.

    Raises:
        As `finetune`.
    """
    run = Path(output)
    with _begun(recipe, run, say, resume=resume) as (here, heard):
        return _train_seeds(recipe, model, examples, None, run, here, heard, listen, resume=resume)


@contextmanager
def _begun(
    recipe: Finetune, run: Path, say: Say | None, *, resume: bool
) -> Iterator[tuple[World, Say]]:
    """The processes together, the run's folder locked, and who is told."""
    with world(recipe.train.device) as here, ExitStack() as held:
        if not resume:
            require_new(run)
        here.first(lambda: _lock(run, held))
        tell = say or (lambda line: print(line, file=sys.stderr, flush=True))
        yield here, tell if here.is_first else _silent


def _train_seeds(
    recipe: Finetune,
    model: Path | str,
    examples: Examples,
    tests: list[Any] | None,
    run: Path,
    here: World,
    say: Say,
    listen: Listen | None,
    *,
    resume: bool,
) -> Outcome:
    """A run for each seed, and what they come to together."""
    task = TASKS[recipe.task].begin(recipe.settings, examples.train)
    outcomes = [
        _train_once(
            _with_seed(recipe, seed),
            model,
            task,
            examples,
            tests,
            run if recipe.seeds == 1 else run / f"seed-{seed}",
            here,
            say,
            listen,
            resume=resume,
        )
        for seed in range(recipe.train.seed, recipe.train.seed + recipe.seeds)
    ]
    return outcomes[0] if len(outcomes) == 1 else summarised(outcomes, run, here)


def _train_once(
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
    _require_metric(metric, task, examples.validation[:64], scored)
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


def _require_metric(
    metric: str,
    task: LabelledTask[Any, Any],
    some: list[Any],
    scored: Callable[[list[Any]], list[Any]],
) -> None:
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


def _with_seed(recipe: Finetune, seed: int) -> Finetune:
    train = recipe.train.model_copy(update={"seed": seed})
    return recipe.model_copy(update={"train": train, "seeds": 1})


def _lock(run: Path, held: ExitStack) -> None:
    held.enter_context(RunLock(run))


def _silent(_: str) -> None:
    return None
