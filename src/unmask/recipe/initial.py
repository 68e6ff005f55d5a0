"""The weights that pretraining begins with: fresh ones, or those of a pretrained model."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import ValidationError
from torch import nn

from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble, pair_term_of
from unmask.checkpoint.bundle import Bundle, refuse_control
from unmask.checkpoint.huggingface.configuration import read_config
from unmask.errors import UsageError
from unmask.models.config import EncoderConfig, family_name
from unmask.nn.borrowed import BorrowedTokens
from unmask.nn.init import initialise, look_at_neighbours
from unmask.recipe.config import Pretrain
from unmask.recipe.files import explain
from unmask.recipe.objectives import objective_of
from unmask.recipe.settings.pretraining import families_for_pairs
from unmask.recipe.together import Say
from unmask.tasks.masked_lm import MaskedLM
from unmask.tasks.replaced_token import GeneratorAndDiscriminator
from unmask.tasks.task import Model
from unmask.text.tokenizer import Tokenizer

_OF_FRESH = ("family", "preset", "model", "initial_attention")
"""Settings of what a model that is gone on with has already."""
_PAIRS = {"nsp": "next sentence prediction", "sop": "sentence order prediction"}
"""What the questions about pairs of segments are called, by the terms of their losses."""


def fresh(recipe: Pretrain, tokenizer: Tokenizer, say: Say) -> Bundle:
    """A model with initial weights that depend on the seed alone.

    Raises:
        UsageError: A vocabulary smaller than the tokenizer's, a padding token that the family
            cannot have, or longer sequences than the model reads beside it.
    """
    config = _config(recipe, tokenizer, say)
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


def _config(recipe: Pretrain, tokenizer: Tokenizer, say: Say) -> EncoderConfig:
    """The numbers of a fresh model for this tokenizer."""
    pad = tokenizer.special.pad
    try:
        config = recipe.encoder(tokenizer.vocab_size, pad)
    except ValidationError as error:
        place = (
            f"family {recipe.family}, for the corpus' tokenizer of {tokenizer.vocab_size:,} "
            f"entries with padding of id {pad}"
        )
        raise UsageError(
            f"{explain(error, place, Pretrain, {})} `unmask tokenizer --special-tokens mpnet` and "
            "`--kind bpe` learn vocabularies whose padding has id 1, as MPNet's and RoBERTa's has."
        ) from error
    if config.vocab_size < tokenizer.vocab_size:
        raise UsageError(
            f"model.vocab_size is {config.vocab_size}, but the corpus' tokenizer has "
            f"{tokenizer.vocab_size} entries: leave it out, or set at least that many"
        )
    recipe.require_positions(config)
    rows, usual = config.max_position_embeddings, recipe.encoder(tokenizer.vocab_size)
    if rows > usual.max_position_embeddings:
        unread = rows - config.max_length
        say(
            f"family {recipe.family} counts positions from the padding's id, which is {pad}: the "
            f"table of positions has {rows:,} rows, of which the first {unread:,} are never read"
        )
    return config


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


def fitted(recipe: Pretrain, model: Path | str) -> Pretrain:
    """The recipe as this model can be gone on with; its small files tell, before a corpus is read.

    Where the length of sequences is not set, they are no longer than the model reads.

    Raises:
        UsageError: The objective is not one that goes on, or asks for pairs, which the model
            cannot judge, or the sequences are longer than it reads.
        DataError: A folder that holds no model.
    """
    if recipe.objective != "mlm":
        raise UsageError(f"objective {recipe.objective}: begins afresh; leave out --model.")
    folder = native.locate(model)
    config = read_config(folder)[1]
    refuse_control(config, str(folder))
    asked = "next_sentence" if recipe.next_sentence else "sentence_order"
    if getattr(recipe, asked) and not config.judges_pairs:
        family, able = family_name(config), families_for_pairs()
        why = "one segment" if family in able else f"no head for pairs, being of family {family}"
        raise UsageError(
            f"{folder}: has {why}, but {asked} needs two segments and a head that judges them; "
            f"leave it out (--{asked.replace('_', '-')}), or go on with a model of two segments "
            f"and of family {' or '.join(able)}."
        )
    train, longest = recipe.train, config.max_length
    if train.sequence_length <= longest:
        return recipe
    for name in ("sequence_length", "initial_sequence_length"):
        length = getattr(train, name)
        if name in train.model_fields_set and (length or 0) > longest:
            raise UsageError(
                f"train.{name} is {length}, but {folder} reads {longest} tokens at most: leave it "
                f"out (--train.{name.replace('_', '-')}), or set no more."
            )
    return recipe.model_copy(
        update={"train": train.model_copy(update={"sequence_length": longest})}
    )


def going_on(recipe: Pretrain, model: Path | str, tokenizer: Tokenizer, say: Say) -> Bundle:
    """A pretrained model's encoder and heads; a head that it lacks begins afresh, which is said.

    The recipe, which is `fitted` to the model, says dropout, where it is set, and nothing else of
    the architecture.

    Raises:
        UsageError: The corpus was prepared with another tokenizer than the model's.
    """
    base = native.load(model)
    if unused := [name for name in _OF_FRESH if name in recipe.model_fields_set]:
        say(f"{', '.join(unused)}: for fresh weights, and without effect on those of {model}")
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
    started = assemble(config, heads | pooler)
    generator = torch.Generator().manual_seed(recipe.train.seed)
    initialise(started, config.initializer_range, generator)
    started.encoder.load_state_dict(base.model.encoder.state_dict())
    for name in sorted(heads):
        if (lacking := _lacking(recipe, base, name)) is None:
            started.heads[name].load_state_dict(base.model.heads[name].state_dict())
        else:
            say(f"{lacking} starts with fresh weights")
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


def _lacking(recipe: Pretrain, base: Bundle, head: str) -> str | None:
    """What to say of a head that the model does not have for this recipe; None if it has it."""
    asked = _PAIRS["sop" if recipe.sentence_order else "nsp"]
    if head not in base.model.heads:
        return f"the model has no {'masked language model' if head == 'mlm' else asked} head: it"
    known = base.task.pair_term if isinstance(base.task, MaskedLM) else None
    learned = _PAIRS[known or pair_term_of(type(base.config))]
    if head == "mlm" or learned == asked:
        return None
    return f"the model's head for pairs learned {learned}: that for {asked}"
