"""What a model folder holds, as far as its small files and its weights' headers tell."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from unmask.checkpoint.assemble import FINE_TUNED
from unmask.checkpoint.huggingface.configuration import CONFIG, read_config
from unmask.checkpoint.huggingface.family import Family
from unmask.checkpoint.huggingface.keys import KeyTable
from unmask.checkpoint.huggingface.purpose import read_architecture, read_task
from unmask.checkpoint.huggingface.weights import find_weights
from unmask.checkpoint.safe import MAX_JSON_BYTES, Entry, contained, read_object
from unmask.errors import DataError
from unmask.models.config import EncoderConfig
from unmask.tasks.task import Task

logger = logging.getLogger(__name__)

MAX_OUTPUTS = 100_000
"""Rows of a classifier."""


@dataclass(frozen=True)
class Survey:
    """Enough to lay out the model; no weight was read."""

    family: Family
    keys: KeyTable
    """The family's table, as the architecture has it."""
    config: EncoderConfig
    entries: Mapping[str, Entry]
    """The weights' headers by their canonical names."""
    heads: frozenset[str]
    num_outputs: int
    """Rows of the classifier; 0 where there is none."""
    task: Task | None


def survey(folder: Path) -> Survey:
    """Reads config.json, unmask.json and the headers.

    Raises:
        DataError: A file is missing or broken, or the task does not fit the heads.
    """
    family, config = read_config(folder)
    given = read_object(contained(folder, CONFIG), MAX_JSON_BYTES)
    architecture = read_architecture(given, str(folder / CONFIG))
    kind = family.kind_of(architecture, given)
    entries = _entries(folder, family.keys_of(kind, config), kind)
    config = family.as_found(config, entries)
    keys = family.keys_of(kind, config)
    for name, reason in family.unread(config, entries).items():
        if entries.pop(name, None):
            logger.info("%s: `%s` is not read: %s.", folder, name, reason)
    heads = keys.found_heads(entries)
    if heads & FINE_TUNED and heads not in family.architectures:
        heads = _one_task(folder, keys, heads, entries)
    num_outputs = _num_outputs(keys, heads, entries)
    task = read_task(folder, given, family, heads, num_outputs)
    return Survey(family, keys, config, entries, heads, num_outputs, task)


def _entries(folder: Path, keys: KeyTable, kind: str | None) -> dict[str, Entry]:
    """A copy stands in for its missing original; what the architecture never reads is left out."""
    stored = find_weights(folder)
    entries = {
        name: stored[as_stored] for name, as_stored in keys.canonical(stored, str(folder)).items()
    }
    for name in stored:
        if name in keys.ignored:
            logger.info("%s: `%s` is not read: %s.", folder, name, keys.ignored[name])
    for copy, original in keys.copies.items():
        if copy in entries and original not in entries:
            entries[original] = entries.pop(copy)
    unused = keys.unused.get(kind or "", ())
    return {name: entry for name, entry in entries.items() if name not in unused}


def _one_task(
    folder: Path, keys: KeyTable, heads: frozenset[str], entries: dict[str, Entry]
) -> frozenset[str]:
    """The head of a task alone; what an older file holds beside it, a pooler, is left out."""
    kept = heads & FINE_TUNED
    for rule in (rule for head in heads - kept for rule in keys.heads[head]):
        for name in rule.theirs:
            if entries.pop(name, None):
                logger.info("%s: `%s` is not read: the head of a task stands alone.", folder, name)
    return kept


def _num_outputs(keys: KeyTable, heads: Collection[str], entries: Mapping[str, Entry]) -> int:
    for name in (keys.sized[head] for head in heads if head in keys.sized):
        entry = entries[name]
        rows = entry.shape[0] if entry.shape else 0
        if not 0 < rows <= MAX_OUTPUTS:
            raise DataError(
                f"{entry.file}: `{entry.name}` is of shape {entry.shape}; expected 1 to "
                f"{MAX_OUTPUTS} rows, one for each label."
            )
        return rows
    return 0
