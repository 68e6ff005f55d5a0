"""Writes a sentence encoder as sentence-transformers lays it out; `sentence` reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unmask.checkpoint.huggingface.sentence import (
    ACTIVATIONS,
    LENGTH,
    MODULES,
    POOLING_FLAGS,
    SETTINGS,
)
from unmask.checkpoint.huggingface.weights import WEIGHTS
from unmask.checkpoint.tensors import write_tensors
from unmask.nn.pooling import Projection
from unmask.tasks.sentence import SentenceHead
from unmask.tasks.sentence_config import DenseConfig, SentenceConfig

_VERSION = "5.0.0"
"""Of sentence-transformers, whose files these are like; every later one reads them."""


def write_modules(
    folder: Path,
    head: SentenceHead,
    config: SentenceConfig,
    hidden_size: int,
    max_length: int | None,
) -> None:
    """Writes everything but the encoder itself, by the names that every version reads."""
    listed = [("", "Transformer"), ("1_Pooling", "Pooling")]
    projections = iter(part for part in head.layers if isinstance(part, Projection))
    for number, layer in enumerate(config.layers, 2):
        kind = "Dense" if isinstance(layer, DenseConfig) else "Normalize"
        listed.append((f"{number}_{kind}", kind))
        (folder / listed[-1][0]).mkdir(exist_ok=True)
        if isinstance(layer, DenseConfig):
            _write_dense(folder / listed[-1][0], layer, next(projections))
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(listed)
    ]
    _write(folder / MODULES, modules)
    (folder / "1_Pooling").mkdir(exist_ok=True)
    _write(folder / "1_Pooling" / "config.json", _pooling_fields(config, hidden_size))
    settings: dict[str, Any] = {
        "__version__": {"sentence_transformers": _VERSION},
        "prompts": config.prompts,
        "default_prompt_name": config.default_prompt_name,
        "similarity_fn_name": config.similarity,
    }
    if config.truncate_dim is not None:
        settings["truncate_dim"] = config.truncate_dim
    _write(folder / SETTINGS, settings)
    _write(folder / LENGTH, {"max_seq_length": max_length, "do_lower_case": False})


def _pooling_fields(config: SentenceConfig, hidden_size: int) -> dict[str, Any]:
    """By the flags that every version reads, but for an order that flags cannot say."""
    flags = {key: mode in config.pooling for key, mode in POOLING_FLAGS.items()}
    in_order = tuple(mode for mode in POOLING_FLAGS.values() if mode in config.pooling)
    modes = flags if in_order == config.pooling else {"pooling_mode": list(config.pooling)}
    return {
        "word_embedding_dimension": hidden_size,
        **modes,
        "include_prompt": config.include_prompt,
    }


def _write_dense(folder: Path, config: DenseConfig, part: Projection) -> None:
    names = {ours: theirs for theirs, ours in ACTIVATIONS.items()}
    fields = {
        "in_features": config.in_features,
        "out_features": config.out_features,
        "bias": config.bias,
        "activation_function": names[config.activation],
    }
    _write(folder / "config.json", fields)
    tensors = {f"linear.{name}": p.detach() for name, p in part.linear.named_parameters()}
    write_tensors(folder / WEIGHTS, tensors)


def _write(file: Path, document: object) -> None:
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
