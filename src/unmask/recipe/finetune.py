"""Fine-tuning: from labelled examples and a pretrained encoder to a model that answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from unmask.checkpoint.runs import tidy
from unmask.data.labelled.config import LabelledConfig
from unmask.errors import UsageError
from unmask.recipe.adapt import FOLDER as ADAPTED
from unmask.recipe.adapt import adapt
from unmask.recipe.beginning import name_of, require_no_control
from unmask.recipe.config import Finetune
from unmask.recipe.examples import (
    Examples,
    Labelled,
    mixed,
    read,
    read_both,
    reading_config,
    warn_of_shared,
)
from unmask.recipe.hearing import Listen
from unmask.recipe.keeper import require_new
from unmask.recipe.one_run import train_once
from unmask.recipe.outcome import Outcome, summarised
from unmask.recipe.output import require_ours
from unmask.recipe.together import REJECTS, Say, locked, voice
from unmask.recipe.verdict import verdict
from unmask.tasks.embedding import Embedding
from unmask.tasks.registry import TASKS
from unmask.tasks.reranking import Reranking
from unmask.train.distributed import World, world
from unmask.train.log import METRICS_FILE, read_metrics


def finetune(
    train: Labelled,
    model: Path | str,
    output: Path | str,
    recipe: Finetune,
    *,
    validation: Labelled | None = None,
    test: Labelled | None = None,
    adapt_to: Path | str | None = None,
    resume: bool = False,
    say: Say | None = None,
    control: bool = False,
) -> Outcome:
    """Trains `model` on labelled examples and writes the result to `output`/model.

    Examples are a file, or rows as `datasets` has them: dicts, or tuples such as `(text, label)`,
    `(text, text_pair, label)`, `(words, tags)` and `(question, context, answers)`. The best weights
    are chosen on the validation examples, which also fit temperature and thresholds; `test` is
    scored once, at the end. With `adapt_to`, a file of unlabelled text, pretraining is gone on with
    first (`adapt`). With several seeds each run has a folder of its own. `say` hears one line at a
    time and prints to stderr by default. `control` lets the left-to-right control of `reproduce
    objectives` be trained, which nobody else may.

    Raises:
        UsageError: The output is in use or holds another run, or settings that do not fit.
        DataError: Examples or a model that cannot be used, or a loss that stays not finite.
        Stopped: A signal ended the run early; its state is saved.
    """
    run = Path(output)
    if adapt_to is None and "adaptation" in recipe.model_fields_set:
        raise UsageError(
            "adaptation: is for pretraining on a text first, but none is given; name it by --adapt "
            "TEXT, or leave the setting out."
        )
    if not control:
        require_no_control(model)
    config = reading_config(recipe.settings, recipe.data)
    files = train, validation, test
    with _begun(recipe, run, say, resume=resume) as (here, heard):
        examples, tests = here.first(lambda: _read_all(recipe, *files, config, run, heard))
        called = name_of(model)
        if adapt_to is not None:
            called += f", adapted to {Path(adapt_to).name}"
            model = adapt(Path(adapt_to), model, run, recipe, here, heard)
        outcome = _train_seeds(
            recipe, model, examples, tests, run, here, heard, None, called=called, resume=resume
        )
        if not recipe.train.keep_finished:
            here.first(lambda: tidy(run / ADAPTED))
        return outcome


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
    require_no_control(model)
    run = Path(output)
    with _begun(recipe, run, say, resume=resume) as (here, heard):
        return _train_seeds(
            recipe,
            model,
            examples,
            None,
            run,
            here,
            heard,
            listen,
            called=name_of(model),
            resume=resume,
        )


def _read_all(
    recipe: Finetune,
    train: Labelled,
    validation: Labelled | None,
    test: Labelled | None,
    config: LabelledConfig,
    run: Path,
    say: Say,
) -> tuple[Examples, list[Any] | None]:
    """The examples to learn from and to choose by, and those to test on if there are any."""
    examples = read_both(
        recipe.task,
        train,
        validation,
        config,
        recipe.validation_rate,
        recipe.max_examples,
        run,
        say,
    )
    more = mixed(recipe.settings, config, run)
    warn_of_shared("validation", examples.validation, more, say)
    examples = replace(examples, train=[*examples.train, *more])
    if test is None:
        return examples, None
    tests = read(recipe.task, test, config, run / f"test-{REJECTS}")
    warn_of_shared("test", tests, [*examples.train, *examples.validation], say)
    return examples, tests


@contextmanager
def _begun(
    recipe: Finetune, run: Path, say: Say | None, *, resume: bool
) -> Iterator[tuple[World, Say]]:
    """The processes together, the run's folder locked, and who is told."""
    _require_whole_batches(recipe)
    with world(recipe.train.device) as here:
        here.first(lambda: require_ours(run))
        if not resume:
            require_new(run)
        with locked(run, here):
            yield here, voice(say, here)


def _require_whole_batches(recipe: Finetune) -> None:
    """Refuses batches that grow where examples are put together to batches before training.

    Raises:
        UsageError: They would.
    """
    if recipe.task == "embedding" and recipe.train.initial_batch_size is not None:
        raise UsageError(
            "--train.initial-batch-size: the examples of sentence embeddings are put together to "
            "batches of one size, of one data set and without a text twice. Leave it out, and "
            "--train.batch-warmup-rate too; --optim.warmup-rate lets the learning rate grow."
        )


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
    called: str,
    resume: bool,
) -> Outcome:
    """A run for each seed, and what they come to together."""
    task = TASKS[recipe.task].begin(recipe.settings, examples.train)
    if isinstance(task, Embedding | Reranking):
        task = task.judged_by(examples.validation)
    outcomes = [
        train_once(
            _with_seed(recipe, seed),
            model,
            task,
            examples,
            tests,
            run if recipe.seeds == 1 else run / f"seed-{seed}",
            here,
            say,
            listen,
            called=called,
            resume=resume,
        )
        for seed in range(recipe.train.seed, recipe.train.seed + recipe.seeds)
    ]
    outcome = outcomes[0] if len(outcomes) == 1 else summarised(outcomes, run, here)
    if here.is_first and (said := verdict(outcome, _steps_of(outcomes[0]))):
        say(said)
    return outcome


def _steps_of(outcome: Outcome) -> int | None:
    """Optimizer steps of a run that has ended, if its log is there."""
    lines = read_metrics(outcome.folder.parent / METRICS_FILE)
    return max((int(line["step"]) for line in lines), default=None)


def _with_seed(recipe: Finetune, seed: int) -> Finetune:
    train = recipe.train.model_copy(update={"seed": seed})
    return recipe.model_copy(update={"train": train, "seeds": 1})
