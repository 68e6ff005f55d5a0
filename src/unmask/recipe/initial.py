"""The weights that pretraining begins with: fresh ones, or those of a pretrained model."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.bundle import Bundle
from unmask.errors import UsageError
from unmask.models.config import MPNET_PADDING, EncoderConfig
from unmask.nn.borrowed import BorrowedTokens
from unmask.nn.init import initialise, look_at_neighbours
from unmask.recipe.config import Pretrain
from unmask.recipe.objectives import objective_of
from unmask.recipe.together import Say
from unmask.tasks.replaced_token import GeneratorAndDiscriminator
from unmask.tasks.task import Model
from unmask.text.tokenizer import Tokenizer

_KEPT = {"mlm": "masked language model", "nsp": "next sentence prediction"}
"""Heads of a model that pretraining goes on with, and what they are called."""


def fresh(recipe: Pretrain, tokenizer: Tokenizer) -> Bundle:
    """A model with initial weights that depend on the seed alone.

    Raises:
        UsageError: A vocabulary smaller than the tokenizer's, or a padding token that the family
            cannot have.
    """
    pad = tokenizer.special.pad
    if recipe.family == "mpnet" and pad != MPNET_PADDING:
        raise UsageError(
            f"family mpnet: the corpus' tokenizer has padding of id {pad}, but MPNet counts "
            f"positions by a padding token of id {MPNET_PADDING} in every other tool: learn a "
            "vocabulary by `unmask tokenizer --special-tokens mpnet`, or take family roberta, "
            "which counts by its own."
        )
    config = recipe.encoder(tokenizer.vocab_size, pad)
    if config.vocab_size < tokenizer.vocab_size:
        raise UsageError(
            f"model.vocab_size is {config.vocab_size}, but the corpus' tokenizer has "
            f"{tokenizer.vocab_size} entries: leave it out, or set at least that many"
        )
    model = assemble(config, objective_of(recipe).heads)
    generator = torch.Generator().manual_seed(recipe.train.seed)
    initialise(model, config.initializer_range, generator)
    if recipe.initial_attention == "neighbours":
        look_at_neighbours(model.encoder, generator)
    if recipe.objective == "replaced-token":
        model = _with_generator(recipe, config, model, generator)
    return Bundle(
        model=model,
        task=objective_of(recipe).task,
        tokenizer=tokenizer.with_max_length(config.max_length),
        config=config,
        folder=None,
    )


def _with_generator(
    recipe: Pretrain, config: EncoderConfig, discriminator: Model, random: torch.Generator
) -> Model:
    """Both, their token vectors as the recipe has them."""
    made = assemble(recipe.generator_config(config), {"mlm"})
    initialise(made, config.initializer_range, random)
    if recipe.initial_attention == "neighbours":
        look_at_neighbours(made.encoder, random)
    lender = made.encoder.get_submodule("embedding.tokens")
    assert isinstance(lender, nn.Embedding)
    if recipe.generator.embeddings == "shared":
        discriminator.encoder.embedding.tokens = lender
    elif recipe.generator.embeddings == "gradient-disentangled":
        discriminator.encoder.embedding.tokens = BorrowedTokens(lender)
    return GeneratorAndDiscriminator(made, discriminator)


def going_on(recipe: Pretrain, model: Path | str, tokenizer: Tokenizer, say: Say) -> Bundle:
    """A pretrained model's encoder and heads; a head that it lacks begins afresh, which is said.

    The recipe says dropout, where it is set, and nothing else of the architecture.

    Raises:
        UsageError: The corpus was prepared with another tokenizer than the model's, or the
            objective is not one that goes on.
    """
    if recipe.objective != "mlm":
        raise UsageError(f"objective {recipe.objective}: begins afresh; leave out --model.")
    base = native.load(model)
    base.refuse_control()
    if base.require_tokenizer().sha256 != tokenizer.sha256:
        raise UsageError(
            f"{model}: was trained with another tokenizer than the corpus was prepared with; "
            "prepare the text again with --tokenizer MODEL, or give the text itself."
        )
    config = base.config
    if recipe.dropout is not None:
        config = config.with_dropout(recipe.dropout)
    heads = objective_of(recipe).heads
    pooler = {"pooler"} & set(base.model.heads) if "nsp" not in heads else set()
    started = assemble(config, objective_of(recipe).heads | pooler)
    generator = torch.Generator().manual_seed(recipe.train.seed)
    initialise(started, config.initializer_range, generator)
    started.encoder.load_state_dict(base.model.encoder.state_dict())
    for name, called in _KEPT.items():
        if name in base.model.heads and name in started.heads:
            started.heads[name].load_state_dict(base.model.heads[name].state_dict())
        elif name in started.heads:
            say(f"the model has no {called} head: it starts with fresh weights")
    if "mlm" in base.model.heads:
        started.decoder.load_state_dict(base.model.decoder.state_dict())
    for name in pooler:  # which this does not train, and fine-tuning may go on with
        started.heads[name].load_state_dict(base.model.heads[name].state_dict())
        started.heads[name].requires_grad_(False)
    return Bundle(
        model=started,
        task=objective_of(recipe).task,
        tokenizer=base.tokenizer,
        config=config,
        folder=base.folder,
    )
