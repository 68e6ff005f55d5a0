"""What a model folder holds, from its small files and its weights' headers alone."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from torch import nn

from unmask.checkpoint.assemble import outline
from unmask.checkpoint.history import read_final_losses
from unmask.checkpoint.huggingface.folder import read_tokenizer
from unmask.checkpoint.huggingface.provenance import read_provenance
from unmask.checkpoint.huggingface.purpose import purpose_fields
from unmask.checkpoint.huggingface.survey import survey
from unmask.checkpoint.native import locate
from unmask.models.config import PRESETS, BertConfig, EncoderConfig, family_name
from unmask.tasks.task import FineTuned, Model
from unmask.text.tokenizer import Tokenizer


def describe(model: Path | str) -> dict[str, Any]:
    """Everything `unmask inspect` prints, ready for JSON; no weights are read.

    Raises:
        UsageError, DataError: As `native.load`, as far as the headers tell.
    """
    folder = locate(model)
    found = survey(folder)
    task, entries = found.task, found.entries
    drawn = outline(found.config, found.heads, found.num_outputs)
    table = parameter_table(drawn)
    tokenizer = read_tokenizer(folder)
    losses = read_final_losses(folder)
    return {
        "folder": str(folder),
        "family": family_name(found.config),
        "architecture": purpose_fields(found.family, drawn, task)["architectures"][0],
        "config": found.config.model_dump(),
        "heads": sorted(found.heads),
        "task": None if task is None else task.name,
        "labels": list(task.labels) if isinstance(task, FineTuned) else [],
        "parameters": table,
        "total_parameters": sum(table.values()),
        "weight_types": dict(Counter(entry.dtype for entry in entries.values())),
        "weight_bytes": sum(file.stat().st_size for file in {e.file for e in entries.values()}),
        "tokenizer": None if tokenizer is None else _tokenizer(tokenizer),
        "made_by": read_provenance(folder),
        "final_losses": losses
        and {
            "mlm_loss": _finite(losses.mlm_loss),
            "corpus_unigram_entropy": losses.corpus_unigram_entropy,
            "is_of_generator": losses.is_of_generator,
        },
    }


def presets() -> dict[str, dict[str, int]]:
    """The sizes of every preset, with BERT's own uncased vocabulary and its pretraining heads."""
    sizes: dict[str, dict[str, int]] = {}
    for name, shape in PRESETS.items():
        config = BertConfig(**shape)
        sizes[name] = {
            **shape,
            "encoder_parameters": configured_parameters(config, frozenset({"pooler"})),
            "pretraining_parameters": configured_parameters(config, frozenset({"mlm", "nsp"})),
        }
    return sizes


def parameter_table(model: Model) -> dict[str, int]:
    """Parameters by part, in the order of the computation; shared ones count where they first are.

    The sum is the model's number of parameters as transformers counts it, but for the mask decoder,
    which it leaves out.
    """
    parts: list[tuple[str, nn.Module]] = [("embedding", model.encoder.embedding)]
    parts += [("context", model.encoder.context)]
    parts += [(f"block {i}", block) for i, block in enumerate(model.encoder.blocks)]
    parts += [("final norm", model.encoder.final_norm), ("mask decoder", model.decoder)]
    parts += [(f"head {name}", head) for name, head in model.heads.items()]
    counted: set[int] = set()
    table: dict[str, int] = {}
    for name, part in parts:
        fresh = [p for p in part.parameters() if id(p) not in counted]
        counted.update(id(p) for p in fresh)
        if fresh:
            table[name] = sum(p.numel() for p in fresh)
    return table


def configured_parameters(config: EncoderConfig, heads: frozenset[str]) -> int:
    """How many parameters a model of this config has, without making it."""
    return sum(parameter_table(outline(config, heads)).values())


def _finite(figure: float) -> float | None:
    """JSON has no word for NaN."""
    return figure if math.isfinite(figure) else None


def _tokenizer(tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "kind": tokenizer.kind,
        "vocab_size": tokenizer.vocab_size,
        "lowercase": tokenizer.lowercase,
        "model_max_length": tokenizer.model_max_length,
        "special_tokens": vars(tokenizer.special_tokens),
        "sha256": tokenizer.sha256,
    }
