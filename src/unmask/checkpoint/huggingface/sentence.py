"""Reads a sentence encoder in sentence-transformers' layout: modules.json, a folder a module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from unmask.checkpoint.huggingface.weights import FLOATS, find_weights
from unmask.checkpoint.safe import MAX_JSON_BYTES, contained, read_list, read_object
from unmask.checkpoint.tensors import read_tensor
from unmask.errors import DataError
from unmask.nn.pooling import Projection
from unmask.tasks.sentence import SentenceHead, build
from unmask.tasks.sentence_config import DenseConfig, SentenceConfig

MODULES = "modules.json"
SETTINGS = "config_sentence_transformers.json"
LENGTH = "sentence_bert_config.json"
POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Ways of pooling by their flags, in the order in which several are joined there."""
ACTIVATIONS = {
    "torch.nn.modules.activation.Tanh": "tanh",
    "torch.nn.modules.activation.GELU": "gelu",
    "torch.nn.modules.activation.ReLU": "relu",
    "torch.nn.modules.activation.Sigmoid": "sigmoid",
    "torch.nn.modules.linear.Identity": "identity",
}
"""By the classes that the files name."""
_KINDS = ("Transformer", "Pooling", "Dense", "Normalize", "Dropout")
"""Modules that are known by the last part of their class; Dropout is nothing at work."""
_MAX_MODULES = 64


@dataclass(frozen=True)
class Modules:
    """What the folder says of itself, before any weight is read."""

    encoder: Path
    """The folder of the encoder, which is the folder itself in all but old ones."""
    config: SentenceConfig
    dense: tuple[Path, ...]
    """The folders of the dense layers' weights, in order."""
    max_length: int | None
    """Most tokens read of a text, specials included."""


def read_modules(folder: Path) -> Modules | None:
    """None where there is no modules.json.

    Raises:
        DataError: Broken files, or modules that are not built here.
    """
    file = contained(folder, MODULES)
    if not file.is_file():
        return None
    kinds = [_module(file, entry) for entry in read_list(file, MAX_JSON_BYTES)]
    names = [kind for kind, _ in kinds]
    if names[:2] != ["Transformer", "Pooling"] or len(kinds) > _MAX_MODULES:
        raise DataError(
            f"{file}: the modules are {', '.join(names) or 'none'}; expected Transformer and "
            "Pooling first, then any of Dense, Normalize and Dropout."
        )
    encoder = _inside(folder, kinds[0][1])
    pooled, include_prompt = _pooling(_inside(folder, kinds[1][1]))
    given = _settings(folder)
    layers: list[Any] = []
    dense: list[Path] = []
    for kind, path in kinds[2:]:
        if kind == "Dense":
            dense.append(_inside(folder, path))
            layers.append(_dense(dense[-1]))
        elif kind == "Normalize":
            layers.append("normalize")
    try:
        config = SentenceConfig.model_validate(
            {"pooling": pooled, "include_prompt": include_prompt, "layers": layers, **given}
        )
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise DataError(f"{folder}: {place or 'modules'}: {fault['msg']}.") from error
    return Modules(encoder, config, tuple(dense), _max_length(encoder))


def read_head(modules: Modules, hidden_size: int) -> SentenceHead:
    """The head with its weights.

    Raises:
        DataError: Missing or unexpected tensors, or of other shapes than the settings say.
    """
    head = build(modules.config, hidden_size)
    projections = [part for part in head.layers if isinstance(part, Projection)]
    for part, folder in zip(projections, modules.dense, strict=True):
        entries = find_weights(folder)
        expected = {f"linear.{name}": tensor for name, tensor in part.linear.named_parameters()}
        found = {name: entry.shape for name, entry in entries.items()}
        wanted = {name: tuple(tensor.shape) for name, tensor in expected.items()}
        if found != wanted or any(entry.dtype not in FLOATS for entry in entries.values()):
            raise DataError(f"{folder}: the tensors are {found}; config.json implies {wanted}.")
        for name, parameter in part.linear.named_parameters():
            tensor = read_tensor(entries[f"linear.{name}"]).to(parameter.dtype)
            parameter.data = tensor
    return head


def _module(file: Path, entry: object) -> tuple[str, str]:
    """The kind of one module, and its folder."""
    if not isinstance(entry, Mapping):
        raise DataError(f"{file}: holds {str(entry)[:100]}; expected an object a module.")
    kind = str(entry.get("type", "")).rpartition(".")[2]
    path = entry.get("path", "")
    if kind not in _KINDS or not isinstance(path, str):
        raise DataError(
            f"{file}: the module `{str(entry.get('type'))[:200]}` is not built here; known are "
            f"{', '.join(_KINDS)}."
        )
    return kind, path


def _inside(folder: Path, path: str) -> Path:
    """A module's folder, which is the folder itself or one directly in it."""
    return contained(folder, path) if path else folder


def _pooling(folder: Path) -> tuple[tuple[str, ...], bool]:
    """The ways of pooling, and whether a prompt's tokens are pooled too."""
    file = contained(folder, "config.json")
    given = read_object(file, MAX_JSON_BYTES)
    mode = given.get("pooling_mode")
    modes = tuple(name for key, name in POOLING_FLAGS.items() if given.get(key)) or ("mean",)
    if mode is not None:
        modes = tuple(mode) if isinstance(mode, list) else (mode,)
    unknown = [str(name)[:40] for name in modes if name not in POOLING_FLAGS.values()]
    if unknown:
        raise DataError(
            f"{file}: pooling by {', '.join(unknown)} is not built here; known are "
            f"{', '.join(POOLING_FLAGS.values())}."
        )
    return modes, bool(given.get("include_prompt", True))


def _dense(folder: Path) -> DenseConfig:
    file = contained(folder, "config.json")
    given = read_object(file, MAX_JSON_BYTES)
    activation = given.get("activation_function", "torch.nn.modules.activation.Tanh")
    for name, wanted in (
        ("module_input_name", "sentence_embedding"),
        ("module_output_name", "sentence_embedding"),
        ("use_residual", False),
    ):
        if given.get(name) not in (None, wanted):
            raise DataError(f"{file}: `{name}` is {given[name]!r}; only {wanted!r} is built here.")
    if activation not in ACTIVATIONS:
        raise DataError(
            f"{file}: the activation is {activation!r:.200}; expected one of "
            f"{', '.join(ACTIVATIONS)}."
        )
    fields = {name: given.get(name) for name in ("in_features", "out_features")}
    try:
        return DenseConfig.model_validate(
            {**fields, "bias": given.get("bias", True), "activation": ACTIVATIONS[activation]}
        )
    except ValidationError as error:
        fault = error.errors()[0]
        raise DataError(f"{file}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}.") from error


def _settings(folder: Path) -> dict[str, Any]:
    """Prompts and similarity, where they are said."""
    file = contained(folder, SETTINGS)
    if not file.is_file():
        return {}
    given = read_object(file, MAX_JSON_BYTES)
    names = {
        "prompts": "prompts",
        "default_prompt_name": "default_prompt_name",
        "similarity_fn_name": "similarity",
        "truncate_dim": "truncate_dim",
    }
    return {ours: given[name] for name, ours in names.items() if given.get(name) is not None}


def _max_length(folder: Path) -> int | None:
    file = contained(folder, LENGTH)
    if not file.is_file():
        return None
    length = read_object(file, MAX_JSON_BYTES).get("max_seq_length")
    if length is not None and (not isinstance(length, int) or isinstance(length, bool)):
        raise DataError(f"{file}: `max_seq_length` is {length!r:.100}; expected a number.")
    return length
