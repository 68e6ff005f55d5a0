"""Pretraining: from a corpus folder to a trained model folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.runs import checkpoints
from unmask.data.manifest import is_corpus
from unmask.data.shards import Shards
from unmask.errors import UsageError
from unmask.recipe import files
from unmask.recipe.config import Pretrain
from unmask.recipe.identity import settings_of, weights_sha256
from unmask.recipe.initial import fitted, fresh, going_on
from unmask.recipe.keeper import RunKeeper, require_new
from unmask.recipe.material import open_corpus, training_data
from unmask.recipe.objectives import objective_of
from unmask.recipe.output import require_ours
from unmask.recipe.result import CURVE_FILE as CURVE_FILE
from unmask.recipe.result import Result as Result
from unmask.recipe.result import conclude
from unmask.recipe.telling import introduction, standing
from unmask.recipe.together import Say, locked, voice
from unmask.text.tokenizer import Tokenizer
from unmask.train.compiling import compile_blocks
from unmask.train.distributed import World, world
from unmask.train.log import RunLog, SilentLog
from unmask.train.loop import Log, TrainingData, train
from unmask.train.optim import Optimizers
from unmask.train.schedule import DEFAULT_STEPS

_LEAST_EVALUATIONS = 10
"""Of a run with a budget in steps that does not say how often, so that its curve has points."""


def pretrain(
    corpus: Path | str | Sequence[Path | str],
    output: Path | str,
    recipe: Pretrain | Mapping[str, Any] | None = None,
    *,
    tokenizer: Path | str | None = None,
    model: Path | str | None = None,
    resume: bool = False,
    say: Say | None = None,
) -> Result:
    """Trains a masked language model on a corpus folder and writes it to `output`/model.

    With a `tokenizer` folder, `corpus` is text, one path or several, which is prepared into
    `output`/corpus first. With a `model` its weights are gone on with, whatever the recipe's
    preset, and text needs no other tokenizer than its own. With `resume` an interrupted run goes
    on where its newest valid checkpoint stands, and a run that never began begins. `say` hears one
    line at a time and prints to stderr by default.

    Raises:
        UsageError: A wrong setting, or the output is in use, holds another run or other things.
        DataError: The corpus is damaged or too small, or the loss stays not finite.
        Stopped: A signal ended the run early; its state is saved.
    """
    return carried_out(
        corpus,
        output,
        _with_evaluations(_checked(recipe)),
        lambda result: result.warning,
        tokenizer=tokenizer,
        model=model,
        resume=resume,
        say=say,
    )


def carried_out(
    corpus: Path | str | Sequence[Path | str],
    output: Path | str,
    recipe: Pretrain,
    warning: Callable[[Result], str | None],
    *,
    tokenizer: Path | str | None,
    model: Path | str | None,
    resume: bool,
    say: Say | None,
) -> Result:
    """As `pretrain`; `warning` is what is said in the end, if anything."""
    if model is not None:
        recipe = fitted(recipe, model)
    else:
        recipe.require_positions(recipe.encoder(vocab_size=1))
    paths = [corpus] if isinstance(corpus, str | Path) else corpus
    run = Path(output)
    with world(recipe.train.device) as here:
        say = voice(say, here)
        here.first(lambda: require_ours(run))
        if not resume:
            require_new(run)
        if tokenizer is None and model is not None and not is_corpus(Path(paths[0])):
            tokenizer = native.locate(model)
        vocabulary = None if tokenizer is None else Path(tokenizer)
        shards = open_corpus(list(map(Path, paths)), vocabulary, run, here, say)
        pieces = Tokenizer.load(shards.tokenizer_folder)
        if model is None:
            bundle = fresh(recipe, pieces, say)
        else:
            bundle = going_on(recipe, model, pieces, say)
        data, held_out = training_data(recipe, shards, pieces)
        for line in introduction(recipe, bundle, data, held_out, here):
            say(line)
        with locked(run, here):
            identity = _identity(recipe, bundle, shards)
            if model is not None:
                identity["pretrained"] = weights_sha256(bundle.model)
            keeper = RunKeeper(run, bundle, recipe, identity, here)
            log = RunLog(run, recipe.train, say) if here.is_first else SilentLog()
            scores = _train(recipe, bundle, data, keeper, log, here, say, resume=resume)
            result = conclude(keeper, recipe, bundle, scores, held_out, here)
            if (said := warning(result)) is not None:
                say(said)
            return result


def _checked(recipe: Pretrain | Mapping[str, Any] | None) -> Pretrain:
    if isinstance(recipe, Pretrain):
        return recipe
    if not isinstance(recipe, Mapping | None):
        raise UsageError(
            f"recipe: {recipe!r:.100}; expected a Pretrain or a mapping of its settings. "
            "`unmask.recipe.files.load` reads a file."
        )
    try:
        return Pretrain.model_validate(dict(recipe or {}))
    except ValidationError as error:
        raise UsageError(files.explain(error, "recipe", Pretrain, {})) from error


def _with_evaluations(recipe: Pretrain) -> Pretrain:
    """Looks at held-out text more often in a short run, unless the user said how often."""
    train = recipe.train
    if train.minutes is not None or "evaluate_every" in train.model_fields_set:
        return recipe
    often = max(1, (train.steps or DEFAULT_STEPS) // _LEAST_EVALUATIONS)
    every = min(train.evaluate_every, often)
    return recipe.model_copy(update={"train": train.model_copy(update={"evaluate_every": every})})


def _train(
    recipe: Pretrain,
    bundle: Bundle,
    data: TrainingData,
    keeper: RunKeeper,
    log: Log,
    here: World,
    say: Say,
    *,
    resume: bool,
) -> dict[str, float]:
    """Trains from where the run's folder stands; returns the last held-out scores."""
    optimizers = Optimizers(bundle.model.to(here.device), recipe.optim)
    goes_on = bool(checkpoints(keeper.run))
    state = keeper.begin(optimizers, resume=resume)
    if resume:
        say(standing(recipe.train, state, goes_on=goes_on, is_over=False))
    log.forget_after(state)
    if recipe.train.compile:
        compile_blocks(bundle.model.encoder, here.device)
    return train(
        bundle.model,
        objective_of(recipe).task,
        data,
        optimizers,
        state,
        recipe.train,
        recipe.optim,
        here,
        keeper,
        log,
    )


def _identity(recipe: Pretrain, bundle: Bundle, shards: Shards) -> dict[str, Any]:
    """What must not change between two halves of one run."""
    settings = settings_of(recipe)
    for name in ("preset", "model", "dropout"):  # the architecture says it all
        del settings[name]
    validation = recipe.validation
    settings["validation"] = None if validation is None else Shards.open(validation).sha256
    return {
        "tokenizer": shards.tokenizer_sha256,
        "corpus": shards.sha256,
        "architecture": bundle.config.model_dump(mode="json"),
        "settings": settings,
    }
