"""One fine-tuning run with one seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.runs import checkpoints
from unmask.data.loader import Source
from unmask.data.planned import PlannedSource, Share
from unmask.data.windows import WindowSource
from unmask.errors import DataError, UsageError
from unmask.recipe.beginning import begin, introduction, load, resolved, segments_shared
from unmask.recipe.config import Finetune
from unmask.recipe.examples import Examples
from unmask.recipe.hearing import Listen, ListeningLog
from unmask.recipe.identity import settings_of, weights_sha256
from unmask.recipe.keeper import RunKeeper
from unmask.recipe.outcome import Outcome, conclude
from unmask.recipe.telling import ALREADY_FINISHED, standing
from unmask.recipe.together import Say
from unmask.tasks.embedding import Embedding
from unmask.tasks.predicting import scored
from unmask.tasks.reranking import Reranking
from unmask.tasks.task import LabelledTask, Model
from unmask.text.tokenizer import Tokenizer
from unmask.train.compiling import compile_blocks
from unmask.train.distributed import World
from unmask.train.layers import rate_scales
from unmask.train.log import RunLog, SilentLog
from unmask.train.loop import Log, TrainingData, train
from unmask.train.optim import Optimizers
from unmask.train.row_adamw import look_up_sparsely
from unmask.train.selection import Selection, waited_enough

_EXAMPLES_AT_ONCE = 2048
_FEW = 64
_NO_QUALITY = ("_loss", "_error", "support", "total", "_thresh")
"""Endings of scores of which the highest is not the best."""
_ADDED_AFTERWARDS = {"baselines", "pictures"}
"""Settings that change nothing of the model, so that a resumed run may have others."""


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
    called: str,
    resume: bool,
) -> Outcome:
    """One run with one seed: trained, tuned on the validation examples, measured, published.

    `called` is what the card calls the model.
    """
    base = load(model)
    pretrained = weights_sha256(base.model.encoder)
    bundle = begin(recipe, base, task, say)
    begun: Any = bundle.task  # which may know more than the one it was begun with
    task = begun
    tokenizer, longest = bundle.require_tokenizer(), bundle.max_length
    source = _source(recipe, bundle, task, examples.train, say)
    recipe = resolved(recipe, bundle.config, len(source))

    def judged(some: list[Any]) -> list[Any]:
        return scored(bundle.model, task, some, tokenizer, longest)

    def measure(_: Model) -> dict[str, float]:
        return task.score(examples.validation, judged(examples.validation))

    metric = recipe.metric or task.metric
    for name, measured in (("validation", examples.validation), ("test", tests)):
        if measured:
            _require_known_labels(task, measured, tokenizer, longest)
            _require_metric(metric, task, name, measured, judged)
    say(introduction(recipe, bundle, examples, len(source), here))
    data = TrainingData(
        sources=(source,),
        transform=lambda batch, _epochs, _progress: batch,
        measure=measure,
        selection=Selection(metric, recipe.train.patience),
    )
    keeper = RunKeeper(run, bundle, recipe, _identity(recipe, pretrained, bundle, examples), here)
    log: Log = RunLog(run, recipe.train, say, metric) if here.is_first else SilentLog()
    if listen is not None:
        log = ListeningLog(log, recipe.train.evaluate_every, listen)
    if resume and keeper.load_finished():
        say(ALREADY_FINISHED)
        bundle.model.to(here.device)
    else:
        _train(recipe, bundle, data, keeper, log, here, say, resume=resume)
        keeper.load_best()
    tuned = here.first(lambda: task.tuned(examples.validation, judged(examples.validation)))
    finished = replace(bundle, task=tuned)
    return here.first(
        lambda: conclude(keeper, recipe, finished, load(model), examples, tests, called)
    )


def _source(
    recipe: Finetune, bundle: Bundle, task: LabelledTask[Any, Any], train: list[Any], say: Say
) -> Source:
    """What the loop draws from; says what is done to the texts."""
    tokenizer, longest = bundle.require_tokenizer(), bundle.max_length
    if isinstance(task, Embedding):
        groups = task.groups(train, tokenizer, longest)
        planned = PlannedSource(groups, recipe.train.batch_size)
        num_texts = sum(len(example.texts) for example in train)
        if num_cut := sum(group.num_cut for group in groups):
            most = min(longest, task.settings.max_length or longest)
            say(f"{num_cut:,} of {num_texts:,} texts have more than {most} tokens, and are cut")
        for line in _left_out(planned.shares, recipe.train.batch_size):
            say(line)
        return planned
    if isinstance(task, Reranking):
        every = task.training_windows(train, tokenizer, longest)
    else:
        every = list(chain.from_iterable(task.encode(train, tokenizer, longest)))
    if segments_shared(bundle.config, every):
        say("the model has one segment: the separator alone tells it where a second text begins")
    return WindowSource(every)


def _left_out(shares: Sequence[Share], batch_size: int) -> Iterator[str]:
    """Of each data set, how many examples an epoch does not take, and why."""
    for number, share in enumerate(shares, 1):
        num_waiting = share.num_examples - share.num_taken
        if num_waiting <= 0:
            continue
        if share.num_taken != share.num_whole:
            why = "are more than its weight asks for"
        elif share.is_distinct and num_waiting >= batch_size:
            why = "share a text with others"
        else:
            why = f"do not fill a batch of {batch_size}"
        name = f"data set {number}: " if len(shares) > 1 else ""
        yield (
            f"{name}{num_waiting:,} of {share.num_examples:,} examples {why}, and wait for another "
            "epoch"
        )


def _train(
    recipe: Finetune,
    bundle: Bundle,
    data: TrainingData,
    keeper: RunKeeper,
    log: Log,
    here: World,
    say: Say,
    *,
    resume: bool,
) -> None:
    """Trains from where the run's folder stands."""
    assert bundle.task is not None
    if here.size == 1:
        look_up_sparsely(bundle.model)
    scales = rate_scales(bundle.model, recipe.optim.layer_decay)
    optimizers = Optimizers(bundle.model.to(here.device), recipe.optim, scales)
    goes_on = bool(checkpoints(keeper.run))
    state = keeper.begin(optimizers, resume=resume)
    if resume:
        is_over = waited_enough(state, data.selection)
        say(standing(recipe.train, state, goes_on=goes_on, is_over=is_over))
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
    name: str,
    some: list[Any],
    judged: Callable[[list[Any]], list[Any]],
) -> None:
    """Finds out at once, by some examples from everywhere, whether weights can be chosen by it.

    Raises:
        UsageError: There is no such score, or higher is not better.
        DataError: The examples have no labels, or those to test on are of another form.
    """
    few = some[:: max(1, len(some) // _FEW)]
    there = task.score(few, judged(few))
    if metric not in there and len(few) < len(some):  # of a label that is rare, say
        there = task.score(some, judged(some))
    fitting = [name for name in there if not name.split("/")[0].endswith(_NO_QUALITY)]
    if metric not in fitting and name == "test":  # the validation examples have it
        raise DataError(
            f"test: its examples are judged by {', '.join(fitting)}, but the weights are chosen by "
            f"{metric}: name examples of the same form by --validation, or measure the model on "
            "these afterwards (unmask evaluate)."
        )
    if metric not in fitting:
        known = "is not better the higher it is" if metric in there else "is none of this task's"
        raise UsageError(f"metric: {metric!r} {known}; expected one of {', '.join(fitting)}.")


def _identity(
    recipe: Finetune, pretrained: str, bundle: Bundle, examples: Examples
) -> dict[str, Any]:
    """What must not change between two halves of one run."""
    return {
        "tokenizer": bundle.require_tokenizer().sha256,
        "examples": examples.sha256,
        "pretrained": pretrained,
        "architecture": bundle.config.model_dump(mode="json"),
        "settings": {
            name: value
            for name, value in settings_of(recipe).items()
            if name not in _ADDED_AFTERWARDS
        },
    }
