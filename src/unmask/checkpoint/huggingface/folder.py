"""A model in Hugging Face's layout: config.json, safetensors, the tokenizer's files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unmask.checkpoint.assemble import outline
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.huggingface.configuration import write_config
from unmask.checkpoint.huggingface.cross_encoder import is_cross_encoder
from unmask.checkpoint.huggingface.families import family_of
from unmask.checkpoint.huggingface.keys import (
    KeyTable,
    compare,
    implied_shapes,
    to_ours,
    to_theirs,
)
from unmask.checkpoint.huggingface.provenance import write_provenance
from unmask.checkpoint.huggingface.purpose import architecture_of, purpose_fields
from unmask.checkpoint.huggingface.sentence import Modules, read_head, read_modules
from unmask.checkpoint.huggingface.sentence_writing import write_modules
from unmask.checkpoint.huggingface.survey import Survey, survey
from unmask.checkpoint.huggingface.weights import FLOATS, write_weights
from unmask.checkpoint.safe import Entry, contained
from unmask.checkpoint.tensors import read_tensor
from unmask.errors import DataError
from unmask.models.config import EncoderConfig
from unmask.tasks.sentence import HEAD, SentenceEmbedding, SentenceHead
from unmask.tasks.task import FineTuned, Model
from unmask.text.folder import BESIDE, SOURCES
from unmask.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

SHARD_BYTES = 5 * 10**9
"""Of one weights file, as the hub asks."""


def load_folder(folder: Path, dtype: torch.dtype = torch.float32) -> Bundle:
    """Reads a model, its weights turned into `dtype`, in evaluation mode.

    Raises:
        DataError: A file is missing, broken, or does not fit the others.
    """
    modules = None if is_cross_encoder(folder) else read_modules(folder)
    place = folder if modules is None else modules.encoder
    found = survey(place)
    config = found.config
    model = _read_model(place, found, dtype)
    tokenizer = read_tokenizer(place)
    if tokenizer is not None and tokenizer.vocab_size > config.vocab_size:
        raise DataError(
            f"{folder}: the tokenizer has {tokenizer.vocab_size} entries, but config.json and the "
            f"embedding only {config.vocab_size} rows; ids above have no vector. Use the "
            "tokenizer that the model was trained with."
        )
    if tokenizer is not None and (found_misfit := misfit(tokenizer, config)):
        logger.warning(
            "%s: %s. If the tokenizer is another model's, every answer will be nonsense: compare "
            "its files with those where the model came from.",
            folder,
            found_misfit,
        )
    bundle = Bundle(model.eval(), found.task, tokenizer, config, folder)
    return bundle if modules is None else _with_sentences(bundle, modules, dtype)


def _with_sentences(bundle: Bundle, modules: Modules, dtype: torch.dtype) -> Bundle:
    """A sentence encoder; a head for anything else beside it is kept, and not asked."""
    head = read_head(modules, bundle.config.hidden_size)
    bundle.model.heads[HEAD] = head.to(dtype).eval()
    tokenizer = bundle.tokenizer
    if tokenizer is not None and modules.max_length is not None:
        tokenizer = tokenizer.with_max_length(modules.max_length)
    return replace(bundle, task=SentenceEmbedding(modules.config), tokenizer=tokenizer)


def save_folder(
    bundle: Bundle,
    folder: Path,
    *,
    max_shard_bytes: int = SHARD_BYTES,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Writes the files into an existing folder; see `native.save` for doing so atomically.

    `provenance` says how the model was made, for unmask.json, which also gets the tokenizer's hash
    and the task; without it, of a fine-tuned model alone.

    Raises:
        DataError: The labels are too many to be read again.
    """
    family = family_of(bundle.config)
    keys = family.keys_of(architecture_of(bundle.task), bundle.config)
    state = stored_state(bundle.model, keys)
    tensors = to_theirs(keys.rules(family.blocks(bundle.config), state), state)
    if set(bundle.model.heads) <= {"pooler", HEAD}:  # an encoder alone is stored without prefix
        prefix = keys.prefix
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    dtype = str(next(iter(state.values())).dtype).removeprefix("torch.")
    purpose = purpose_fields(family, bundle.model, bundle.task)
    write_config(folder, bundle.config, purpose, dtype)
    write_weights(folder, tensors, max_shard_bytes)
    if isinstance(bundle.task, SentenceEmbedding):
        head, width = bundle.model.heads[HEAD], bundle.config.hidden_size
        assert isinstance(head, SentenceHead), "a sentence encoder's head"
        write_modules(folder, head, bundle.task.config, width, bundle.max_length)
    if bundle.tokenizer is not None:
        bundle.tokenizer.save(folder, reads_segments=bundle.config.num_segments > 1)
    made_by = {} if provenance is None else dict(provenance)
    if isinstance(bundle.task, SentenceEmbedding):
        pass  # its own files say what it is
    elif isinstance(bundle.task, FineTuned) or (bundle.task is not None and made_by):
        made_by["task"] = bundle.task.stored()
    if provenance is not None or made_by:
        made_by["tokenizer_sha256"] = None if bundle.tokenizer is None else bundle.tokenizer.sha256
        write_provenance(folder, made_by)


def stored_state(model: Model, keys: KeyTable) -> dict[str, Tensor]:
    """Our tensors by our names, tied ones once."""
    state: dict[str, Tensor] = model.state_dict()
    apart = f"heads.{HEAD}."  # whose dense layers lie in folders of their own
    return {
        name: tensor
        for name, tensor in state.items()
        if name not in keys.tied and not name.startswith(apart)
    }


def read_tokenizer(folder: Path) -> Tokenizer | None:
    """The folder's tokenizer, None where it has none.

    Raises:
        DataError: It has one that is broken or of another kind.
    """
    there = [contained(folder, name).is_file() for name in (*SOURCES, *BESIDE)]
    return Tokenizer.load(folder) if any(there[: len(SOURCES)]) else None


def misfit(tokenizer: Tokenizer, config: EncoderConfig) -> str | None:
    """Why the tokenizer may be another model's, None where nothing speaks for it.

    No more than a suspicion: nothing is padded here, and many a config.json has a number there
    that nobody looked at. So it is told and not refused.
    """
    pad = tokenizer.special.pad
    if pad == config.pad_token_id:
        return None
    return (
        f"config.json says that token {config.pad_token_id} is padding, the tokenizer that "
        f"{pad} is ({tokenizer.special_tokens.pad})"
    )


def _read_model(folder: Path, found: Survey, dtype: torch.dtype) -> Model:
    """Nothing is allocated before every shape in the headers fits the config."""
    keys, entries = found.keys, found.entries
    model = outline(found.config, found.heads, found.num_outputs)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    rules = keys.rules(found.family.blocks(found.config), shapes)
    originals = {name: entry for name, entry in entries.items() if name not in keys.copies}
    compare(
        implied_shapes(rules, shapes),
        {name: entry.shape for name, entry in originals.items()},
        str(folder),
    )
    _check_types(originals)
    _check_copies(entries, keys.copies)
    state = {
        name: nn.Parameter(tensor)
        for name, tensor in to_ours(
            rules, lambda name: read_tensor(entries[name]).to(dtype)
        ).items()
    }
    state |= {alias: state[name] for alias, name in keys.tied.items() if alias in shapes}
    model.load_state_dict(state, assign=True)
    return model


def _check_types(entries: Mapping[str, Entry]) -> None:
    for entry in entries.values():
        if entry.dtype not in FLOATS:
            raise DataError(
                f"{entry.file}: `{entry.name}` is of type {entry.dtype}; expected one of "
                f"{', '.join(sorted(FLOATS))}. Quantised weights are not read here."
            )


def _check_copies(entries: Mapping[str, Entry], copies: Mapping[str, str]) -> None:
    for copy, original in copies.items():
        if copy not in entries:
            continue
        first, second = (read_tensor(entries[name]) for name in (original, copy))
        alike = (first.dtype, first.shape) == (second.dtype, second.shape)
        if not alike or not torch.equal(_bits(first), _bits(second)):
            raise DataError(
                f"{entries[copy].file}: `{copy}` differs from `{original}`; expected one shared "
                "tensor, because the output layer here always uses the token embedding. A model "
                "with an output layer of its own cannot be read."
            )


def _bits(tensor: Tensor) -> Tensor:
    """Bytes, so that not-a-number equals itself."""
    return tensor.contiguous().view(torch.uint8)
