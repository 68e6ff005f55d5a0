"""Examines a model folder: what is broken, what will hurt, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from unmask.checkpoint.assemble import FINE_TUNED
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.durable import MANIFEST, verify
from unmask.checkpoint.history import generator_of, read_final_losses, read_history
from unmask.checkpoint.huggingface.folder import load_folder, misfit
from unmask.checkpoint.huggingface.provenance import read_provenance
from unmask.checkpoint.huggingface.weights import PICKLES, find_weights
from unmask.checkpoint.native import locate
from unmask.checkpoint.safe import MAX_INDEX_BYTES, contained, read_object
from unmask.data.finding import Finding
from unmask.errors import DataError
from unmask.text.tokenizer import Tokenizer

_HALF = {"F16", "BF16"}


def examine_model(model: Path | str) -> list[Finding]:
    """Findings about a model folder, errors first; one that cannot be loaded gives only why.

    Raises:
        UsageError: There is no such folder, or it is the left-to-right control of an experiment.
    """
    folder = locate(model)
    try:
        if (folder / MANIFEST).exists():
            verify(folder, ".safetensors")
        bundle = load_folder(folder)
        made_by = read_provenance(folder) or {}
    except DataError as error:
        return [_unloadable(folder, error)]
    bundle.refuse_control()
    findings = [
        *_about_weights(folder, bundle),
        *_about_heads(folder, bundle),
        *_about_training(folder, bundle),
        *_about_tokenizer(folder, bundle, made_by.get("tokenizer_sha256")),
    ]
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(findings, key=lambda finding: order[finding.severity])


def _unloadable(folder: Path, error: DataError) -> Finding:
    fix = "repair what the message names, or take another copy of the whole folder"
    if any((folder / name).exists() for name in PICKLES):
        fix = "convert the weights to safetensors where you trust their author"
    return Finding("error", f"cannot be loaded: {error}", "nothing can use this model", fix)


def _about_weights(folder: Path, bundle: Bundle) -> Iterator[Finding]:
    half = [entry for entry in find_weights(folder).values() if entry.dtype in _HALF]
    if half:
        yield Finding(
            "warning",
            f"{len(half)} weights are stored in half precision ({half[0].dtype})",
            "a CPU computes slowly and less exactly in it; here they become float32 on loading, "
            "with the stored precision and twice the memory",
            "nothing here; save the model once more to store float32 for other tools",
        )
    broken = [
        name
        for name, parameter in bundle.model.named_parameters()
        if not bool(torch.isfinite(parameter).all())
    ]
    if broken:
        yield Finding(
            "error",
            f"{len(broken)} weights hold NaN or infinity: {', '.join(broken[:3])}",
            "every answer is NaN",
            "go back to an earlier checkpoint; train with a lower learning rate or more warm-up",
        )
    elif _looks_untrained(bundle):
        yield Finding(
            "warning",
            "every bias is exactly 0 and every norm exactly 1, as before training",
            "the model guesses",
            "train it, or check that the right weights were copied",
        )
    pickled = [name for name in PICKLES if (folder / name).exists()]
    if pickled:
        yield Finding(
            "note",
            f"{pickled[0]} lies beside the safetensors",
            "it is a pickle, which runs code in tools that open it; here it is not read",
            "delete it",
        )


def _looks_untrained(bundle: Bundle) -> bool:
    encoder = bundle.model.encoder
    parts = [part for part in encoder.modules() if isinstance(part, nn.LayerNorm | nn.Linear)]
    norms = [part for part in parts if isinstance(part, nn.LayerNorm)]
    return all(bool((norm.weight == 1).all()) for norm in norms) and not any(
        bool(torch.any(part.bias)) for part in parts
    )


def _about_heads(folder: Path, bundle: Bundle) -> Iterator[Finding]:
    heads = set(bundle.model.heads)
    if heads & FINE_TUNED and bundle.task is None:
        yield Finding(
            "warning",
            f"the {', '.join(heads & FINE_TUNED)} head belongs to no task known here",
            "`unmask predict` and `unmask evaluate` cannot tell what its scores mean",
            "name transformers' class for it in config.json (`architectures`)",
        )
    if not heads & {"mlm", *FINE_TUNED}:
        generator = generator_of(folder)
        yield Finding(
            "warning",
            "there is no masked language model head",
            "`unmask fill` and `unmask score` need one, and further pretraining begins it afresh",
            f"for these take {generator or 'the model that this one was made from'}; embedding and "
            "fine-tuning work",
        )


def _about_training(folder: Path, bundle: Bundle) -> Iterator[Finding]:
    """What its run knows of it; a model from elsewhere brings no such record."""
    losses = read_final_losses(folder)
    if losses is not None and not losses.mlm_loss <= losses.corpus_unigram_entropy:  # or is NaN
        yield Finding(
            "warning",
            f"its run ended at a held-out loss{' of the generator' * losses.is_of_generator} of "
            f"{losses.mlm_loss:.4g} nats, above the unigram entropy of its corpus, "
            f"{losses.corpus_unigram_entropy:.2f}",
            "guessing by frequency alone does better: it has learned nothing about context",
            "train longer, or with a lower optim.learning_rate and more optim.warmup_rate; look "
            "at the corpus with `unmask doctor`",
        )
    trained, longest = read_history(folder).sequence_length, bundle.config.max_length
    if trained is not None and trained < longest:
        yield Finding(
            "note",
            f"it has {longest} positions, but was trained on sequences of up to {trained} tokens",
            f"{_untrained(bundle, trained)}, so that longer texts are answered worse",
            f"give it texts of up to {trained} tokens, or train with a longer "
            "train.sequence_length",
        )


def _untrained(bundle: Bundle, trained: int) -> str:
    """What longer texts are read with."""
    if bundle.config.can_begin_at_neighbours:  # a vector for each position
        return f"the positions above {trained} are as random as before training"
    return f"distances of {trained} tokens and more were never seen"


def _about_tokenizer(folder: Path, bundle: Bundle, made_with: object) -> Iterator[Finding]:
    tokenizer, config = bundle.tokenizer, bundle.config
    if tokenizer is None:
        yield Finding(
            "error",
            "there is no tokenizer (tokenizer.json or vocab.txt)",
            "the model can only be given ids",
            "copy the tokenizer's files from where the model came from",
        )
        return
    if made_with is not None and made_with != tokenizer.sha256:
        yield Finding(
            "error",
            "the tokenizer is not the one that the model was trained with (unmask.json)",
            "the model reads other words than are meant",
            "put the model's own tokenizer back",
        )
    suspicion = misfit(tokenizer, config)
    if suspicion is not None:
        yield Finding(
            "warning",
            suspicion,
            "if the tokenizer is another model's, every answer is nonsense",
            "compare the tokenizer's files with those where the model came from, or set "
            "`pad_token_id` in config.json",
        )
    if tokenizer.vocab_size < config.vocab_size:
        yield Finding(
            "note",
            f"the vocabulary has {tokenizer.vocab_size:,} entries, the embedding "
            f"{config.vocab_size:,} rows",
            "the rows above belong to no token and are never predicted rightly; a few for "
            "rounding are usual",
            "check that the tokenizer is the model's own if there are many",
        )
    if tokenizer.special.mask is None:
        yield Finding(
            "error" if "mlm" in bundle.model.heads else "warning",
            "the vocabulary has no mask token",
            "masked language modelling and filling blanks need one",
            "name it as `mask_token` in tokenizer_config.json if it is spelled otherwise",
        )
    yield from _about_lengths(folder, tokenizer, config.max_length)


def _about_lengths(folder: Path, tokenizer: Tokenizer, longest: int) -> Iterator[Finding]:
    if (tokenizer.model_max_length or 0) > longest:
        yield Finding(
            "warning",
            f"tokenizer_config.json allows {tokenizer.model_max_length} tokens, the model only "
            f"{longest}",
            "other tools fail on texts in between",
            f"set `model_max_length` to {longest} in tokenizer_config.json",
        )
    file = contained(folder, "tokenizer.json")
    if not file.is_file():
        return
    stored = read_object(file, MAX_INDEX_BYTES)
    truncation = stored.get("truncation")
    if isinstance(truncation, dict) and truncation.get("max_length") != longest:
        yield Finding(
            "warning",
            f"tokenizer.json cuts texts at {truncation.get('max_length')} tokens; the model reads "
            f"{longest}",
            "other tools silently drop the rest of a text; here the model's own limit counts",
            "set `truncation` to null in tokenizer.json",
        )
    if isinstance(stored.get("padding"), dict):
        yield Finding(
            "note",
            "tokenizer.json pads every text",
            "other tools compute on padding; here nothing is padded",
            "set `padding` to null in tokenizer.json",
        )
