"""Verbs that train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unmask.cli.flags import AsJson, RecipeFile, Resume, given, resumable
from unmask.data.config import MaskingConfig
from unmask.recipe.config import Pretrain, PretrainChoices
from unmask.train.config import OptimConfig, PretrainingConfig

if TYPE_CHECKING:
    from unmask.recipe.result import Result


def pretrain(
    *corpus: Annotated[Path, Parameter(required=True)],
    output: Path,
    tokenizer: Path | None = None,
    model: str | None = None,
    recipe: RecipeFile = None,
    choices: Annotated[PretrainChoices | None, Parameter(name="*")] = None,
    masking: MaskingConfig | None = None,
    train: PretrainingConfig | None = None,
    optim: OptimConfig | None = None,
    resume: Resume = False,
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
    """
    from unmask.recipe import files
    from unmask.recipe.pretrain import pretrain as run
    from unmask.train.distributed import is_first_process

    flags = given(choices, {"masking": masking, "train": train, "optim": optim})
    settings = files.load(recipe, flags, Pretrain)
    with resumable():
        result = run(corpus, output, settings, tokenizer=tokenizer, model=model, resume=resume)
    if is_first_process():
        _show(result, as_json=json)


def _show(result: Result, *, as_json: bool) -> None:
    """The learning curve in letters, and the figures."""
    from unmask.terminal import figure, show

    if not as_json:
        print(result.sketch)
    rows = [(name, figure(value)) for name, value in result.figures().items()]
    rows.append(("model", str(result.folder)))
    if result.warning is not None:
        rows.append(("warning", "learned nothing: the loss is above the unigram entropy"))
    show({**result.figures(), "model": str(result.folder)}, rows, as_json=as_json)
