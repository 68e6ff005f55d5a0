"""Verbs that train."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unmask.cli.flags import AsJson, given
from unmask.data.config import MaskingConfig
from unmask.models.config import Preset
from unmask.recipe.config import InitialAttention
from unmask.train.config import OptimConfig, PretrainingConfig


def pretrain(
    *corpus: Annotated[Path, Parameter(required=True)],
    output: Path,
    tokenizer: Path | None = None,
    model: str | None = None,
    recipe: Path | None = None,
    preset: Preset | None = None,
    dropout: float | None = None,
    initial_attention: InitialAttention | None = None,
    next_sentence: bool | None = None,
    validation: Path | None = None,
    validation_rate: float | None = None,
    masking: MaskingConfig | None = None,
    train: PretrainingConfig | None = None,
    optim: OptimConfig | None = None,
    resume: bool = False,
    json: AsJson = False,
) -> None:
    """Trains a masked language model on a corpus.

    Parameters
    ----------
    corpus
        Folder made by `unmask corpus`; with --tokenizer files, folders or globs of text.
    output
        Folder for checkpoints, metrics and, in the end, the model.
    tokenizer
        Folder of a tokenizer; the corpus is then text, prepared into OUTPUT/corpus first.
    model
        A pretrained model to go on from, instead of fresh weights of --preset.
    recipe
        A TOML file of settings; flags win over it.
    preset
        Layers and widths of the encoder.
    dropout
        Share zeroed of block outputs and attention weights while training.
    initial_attention
        First weights: random, as in the paper, or heads that look at their neighbours.
    next_sentence
        Trains next sentence prediction jointly.
    validation
        A corpus to measure on; without it documents of the corpus are held out.
    validation_rate
        Share of the corpus' documents held out where --validation is not given.
    resume
        Goes on from the newest checkpoint, or begins where there is none.
    """
    from unmask.recipe import files
    from unmask.recipe.config import Pretrain
    from unmask.recipe.pretrain import pretrain as run
    from unmask.terminal import figure, show
    from unmask.train.distributed import is_first_process

    flags = given(
        {
            "preset": preset,
            "dropout": dropout,
            "initial_attention": initial_attention,
            "next_sentence": next_sentence,
            "validation": validation,
            "validation_rate": validation_rate,
            "masking": masking,
            "train": train,
            "optim": optim,
        }
    )
    settings = files.load(recipe, flags, Pretrain)
    with resumable():
        result = run(corpus, output, settings, tokenizer=tokenizer, model=model, resume=resume)
    if not is_first_process():
        return
    if not json:
        print(result.sketch)
    rows = [(name, figure(value)) for name, value in result.figures().items()]
    rows.append(("model", str(result.folder)))
    if result.warning is not None:
        rows.append(("warning", "learned nothing: the loss is above the unigram entropy"))
    show({**result.figures(), "model": str(result.folder)}, rows, as_json=json)


@contextmanager
def resumable() -> Iterator[None]:
    """Says how to go on where the user lost patience with saving and stopped the run at once."""
    try:
        yield
    except KeyboardInterrupt:
        message = "the same command with --resume goes on from the last checkpoint"
        raise KeyboardInterrupt(message) from None
