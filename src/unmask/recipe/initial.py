"""The weights that pretraining begins with: fresh ones, or those of a pretrained model."""

from __future__ import annotations

from pathlib import Path

import torch

from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.bundle import Bundle
from unmask.errors import UsageError
from unmask.nn.init import initialise, look_at_neighbours
from unmask.recipe.config import Pretrain
from unmask.tasks.masked_lm import MaskedLM
from unmask.text.tokenizer import Tokenizer

_KEPT = ("mlm", "nsp")
"""Heads of a model that pretraining goes on with."""


def fresh(recipe: Pretrain, tokenizer: Tokenizer) -> Bundle:
    """A model with initial weights that depend on the seed alone.

    Raises:
        UsageError: A vocabulary smaller than the tokenizer's.
    """
    config = recipe.encoder(tokenizer.vocab_size, tokenizer.special.pad)
    if config.vocab_size < tokenizer.vocab_size:
        raise UsageError(
            f"model.vocab_size is {config.vocab_size}, but the corpus' tokenizer has "
            f"{tokenizer.vocab_size} entries: leave it out, or set at least that many"
        )
    model = assemble(config, _heads(recipe))
    generator = torch.Generator().manual_seed(recipe.train.seed)
    initialise(model, config.initializer_range, generator)
    if recipe.initial_attention == "neighbours":
        look_at_neighbours(model.encoder, generator)
    return Bundle(
        model=model,
        task=task_of(recipe),
        tokenizer=tokenizer.with_max_length(config.max_length),
        config=config,
        folder=None,
    )


def going_on(recipe: Pretrain, model: Path | str, tokenizer: Tokenizer) -> Bundle:
    """A pretrained model's encoder and heads; a head that it lacks begins afresh.

    The recipe says dropout, where it is set, and nothing else of the architecture.

    Raises:
        UsageError: The corpus was prepared with another tokenizer than the model's.
    """
    base = native.load(model)
    if base.require_tokenizer().sha256 != tokenizer.sha256:
        raise UsageError(
            f"{model}: was trained with another tokenizer than the corpus was prepared with; "
            "prepare the text again with --tokenizer MODEL, or give the text itself."
        )
    config = base.config
    if "dropout" in recipe.model_fields_set:
        config = config.with_dropout(recipe.dropout)
    pooler = {"pooler"} & set(base.model.heads) if not recipe.next_sentence else set()
    started = assemble(config, _heads(recipe) | pooler)
    generator = torch.Generator().manual_seed(recipe.train.seed)
    initialise(started, config.initializer_range, generator)
    started.encoder.load_state_dict(base.model.encoder.state_dict())
    for name in _KEPT:
        if name in base.model.heads and name in started.heads:
            started.heads[name].load_state_dict(base.model.heads[name].state_dict())
    if "mlm" in base.model.heads:
        started.decoder.load_state_dict(base.model.decoder.state_dict())
    for name in pooler:  # which this does not train, and fine-tuning may go on with
        started.heads[name].load_state_dict(base.model.heads[name].state_dict())
        started.heads[name].requires_grad_(False)
    return Bundle(
        model=started,
        task=task_of(recipe),
        tokenizer=base.tokenizer,
        config=config,
        folder=base.folder,
    )


def task_of(recipe: Pretrain) -> MaskedLM:
    """What a recipe pretrains by."""
    return MaskedLM(next_sentence=recipe.next_sentence)


def _heads(recipe: Pretrain) -> set[str]:
    return {"mlm", "nsp"} if recipe.next_sentence else {"mlm"}
