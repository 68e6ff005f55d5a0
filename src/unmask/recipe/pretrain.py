"""Pretraining: from a corpus folder to a trained model folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.lock import RunLock
from unmask.data.shards import Shards
from unmask.errors import UsageError, writing
from unmask.nn.init import initialise, look_at_neighbours
from unmask.recipe.card import model_card
from unmask.recipe.config import Pretrain
from unmask.recipe.keeper import RunKeeper, require_new, settings_of
from unmask.recipe.material import HeldOut, open_corpus, training_data
from unmask.tasks.masked_lm import MaskedLM
from unmask.text.tokenizer import Tokenizer
from unmask.train import curve
from unmask.train.compiling import compile_blocks
from unmask.train.distributed import World, world
from unmask.train.log import METRICS_FILE, RunLog, SilentLog, read_metrics
from unmask.train.loop import Log, TrainingData, train
from unmask.train.optim import Optimizers

CURVE_FILE = "loss.png"


@dataclass(frozen=True)
class Result:
    """What a pretraining run came to."""

    folder: Path
    """The trained model, in Hugging Face's layout."""
    scores: dict[str, float]
    """Held-out `mlm_loss` in nats, `mlm_accuracy`, `mlm_pseudo_perplexity`, and NSP's."""
    unigram_entropy: float
    """Entropy in nats of the training corpus' tokens: about the loss of guessing by frequency."""
    unigram_accuracy: float
    """Share of held-out tokens that are the most frequent token."""
    curve: Path
    """The loss curve as PNG."""
    sketch: str
    """The loss curve in characters."""

    def figures(self) -> dict[str, float]:
        """Held-out scores beside what token frequencies alone would give."""
        return {
            **self.scores,
            "unigram_entropy": self.unigram_entropy,
            "unigram_accuracy": self.unigram_accuracy,
        }


def pretrain(
    corpus: Path | str,
    output: Path | str,
    recipe: Pretrain | None = None,
    *,
    tokenizer: Path | str | None = None,
    resume: bool = False,
    say: Callable[[str], None] | None = None,
) -> Result:
    """Trains a masked language model on a corpus folder and writes it to `output`/model.

    With a `tokenizer` folder, `corpus` is text, which is prepared into `output`/corpus first. With
    `resume` an interrupted run goes on where its newest valid checkpoint stands, and a run
    that never began begins. `say` hears one line at a time and prints to stderr by default.

    Raises:
        UsageError: The output is in use, or holds another run.
        DataError: The corpus is damaged or too small, or the loss stays not finite.
        Stopped: A signal ended the run early; its state is saved.
    """
    recipe = recipe or Pretrain()
    run = Path(output)
    say = say or (lambda line: print(line, file=sys.stderr, flush=True))
    with world(recipe.train.device) as here, ExitStack() as held:
        say = say if here.is_first else _silent
        if not resume:
            require_new(run)
        vocabulary = None if tokenizer is None else Path(tokenizer)
        shards = open_corpus(Path(corpus), vocabulary, run, here, say)
        pieces = Tokenizer.load(shards.tokenizer_folder)
        bundle = _fresh(recipe, pieces)
        data, held_out = training_data(recipe, shards, pieces)
        say(_introduction(recipe, bundle, data, here))
        here.first(lambda: _lock(run, held))
        keeper = RunKeeper(run, bundle, recipe, _identity(recipe, bundle, shards), here)
        log = RunLog(run, recipe.train, say) if here.is_first else SilentLog()
        scores = _train(recipe, bundle, data, keeper, log, here, resume=resume)
        return _finish(keeper, recipe, bundle, scores, held_out, here)


def _train(
    recipe: Pretrain,
    bundle: Bundle,
    data: TrainingData,
    keeper: RunKeeper,
    log: Log,
    here: World,
    *,
    resume: bool,
) -> dict[str, float]:
    """Trains from where the run's folder stands; returns the last held-out scores."""
    optimizers = Optimizers(bundle.model.to(here.device), recipe.optim)
    state = keeper.begin(optimizers, resume=resume)
    log.forget_after(state)
    if recipe.train.compile:
        compile_blocks(bundle.model.encoder, here.device)
    return train(
        bundle.model,
        _task(recipe),
        data,
        optimizers,
        state,
        recipe.train,
        recipe.optim,
        here,
        keeper,
        log,
    )


def _lock(run: Path, held: ExitStack) -> None:
    held.enter_context(RunLock(run))


def _silent(_: str) -> None:
    return None


def _task(recipe: Pretrain) -> MaskedLM:
    return MaskedLM(next_sentence=recipe.next_sentence)


def _fresh(recipe: Pretrain, tokenizer: Tokenizer) -> Bundle:
    """A model with initial weights that depend on the seed alone."""
    config = recipe.bert(tokenizer.vocab_size, tokenizer.special.pad)
    if config.vocab_size < tokenizer.vocab_size:
        raise UsageError(
            f"model.vocab_size is {config.vocab_size}, but the corpus' tokenizer has "
            f"{tokenizer.vocab_size} entries: leave it out, or set at least that many"
        )
    heads = {"mlm", "nsp"} if recipe.next_sentence else {"mlm"}
    model = assemble(config, heads)
    generator = torch.Generator().manual_seed(recipe.train.seed)
    initialise(model, config.initializer_range, generator)
    if recipe.initial_attention == "neighbours":
        look_at_neighbours(model.encoder, generator)
    return Bundle(
        model=model,
        task=_task(recipe),
        tokenizer=tokenizer.with_max_length(config.max_position_embeddings),
        config=config,
        folder=None,
    )


def _introduction(recipe: Pretrain, bundle: Bundle, data: TrainingData, here: World) -> str:
    size = sum(parameter.numel() for parameter in bundle.model.parameters())
    return (
        f"{recipe.preset} BERT, {size / 1e6:.1f}M parameters, vocabulary "
        f"{bundle.config.vocab_size:,}; {len(data.sources[-1]):,} sequences of up to "
        f"{recipe.train.sequence_length} tokens; {here.device}, "
        f"{here.size} process(es), {torch.get_num_threads()} thread(s)"
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


def _finish(
    keeper: RunKeeper,
    recipe: Pretrain,
    bundle: Bundle,
    scores: dict[str, float],
    held_out: HeldOut,
    here: World,
) -> Result:
    """Writes the model folder with its card and curve."""
    run = keeper.run

    def add(folder: Path) -> None:
        (folder / CURVE_FILE).write_bytes((run / CURVE_FILE).read_bytes())
        card = model_card(recipe, bundle, scores, held_out.unigram_entropy, CURVE_FILE)
        (folder / "README.md").write_text(card, encoding="utf-8")

    def publish() -> None:
        metrics = read_metrics(run / METRICS_FILE)
        with writing(run / CURVE_FILE):
            curve.draw(metrics, held_out.unigram_entropy, run / CURVE_FILE)
        keeper.publish(bundle, add)

    here.first(publish)
    return Result(
        folder=run / native.MODEL_FOLDER,
        scores=scores,
        unigram_entropy=held_out.unigram_entropy,
        unigram_accuracy=held_out.unigram_accuracy,
        curve=run / CURVE_FILE,
        sketch=curve.sketch(read_metrics(run / METRICS_FILE), held_out.unigram_entropy),
    )
