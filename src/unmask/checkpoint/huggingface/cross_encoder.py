"""What sentence-transformers' folders say of a cross-encoder, by its old and its new names."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask.checkpoint.huggingface.labels import short
from unmask.checkpoint.huggingface.sentence import MODULES, SETTINGS
from unmask.checkpoint.safe import MAX_JSON_BYTES, contained, read_list, read_object
from unmask.errors import DataError

if TYPE_CHECKING:
    from unmask.tasks.reranking import Activation

logger = logging.getLogger(__name__)

FIELD, OLD_FIELD = "sentence_transformers", "sbert_ce_default_activation_function"
"""Of config.json: since version 4, and before it."""
_ACTIVATION = "activation_fn"
_WRITTEN: Mapping[str, Activation] = {
    "torch.nn.modules.linear.Identity": "identity",
    "torch.nn.modules.activation.Sigmoid": "sigmoid",
    "torch.nn.modules.activation.Tanh": "tanh",
}
_KNOWN: Mapping[str, Activation] = {
    name.rpartition(".")[2]: activation for name, activation in _WRITTEN.items()
}


def is_cross_encoder(folder: Path) -> bool:
    """Whether the folder's modules, which version 5 began to write, are those of a cross-encoder.

    Raises:
        DataError: They are, and more than an encoder with its head.
    """
    if _settings(folder) is None:
        return False
    file = contained(folder, MODULES)
    if not file.is_file():
        return True
    modules = read_list(file, MAX_JSON_BYTES)
    kinds = [str(one.get("type")) if isinstance(one, Mapping) else short(one) for one in modules]
    are_inside = all(isinstance(one, Mapping) and not one.get("path") for one in modules)
    if [kind.rpartition(".")[2] for kind in kinds] != ["Transformer"] or not are_inside:
        raise DataError(
            f"{file}: the modules of this cross-encoder are {', '.join(kinds)[:200]}; expected one "
            "Transformer in the folder itself, with the head that transformers builds."
        )
    return True


def read_activation(folder: Path, given: Mapping[str, Any]) -> Activation | None:
    """What makes a score of its logit; None where nothing says that it is a cross-encoder.

    `given` is config.json. An activation that is not built here is taken for a sigmoid, as it is
    there where it is not trusted.
    """
    settings, newer = _settings(folder), given.get(FIELD)
    if settings is not None:
        _warn_of_prompts(folder, settings)
        found = settings.get(_ACTIVATION)
    elif isinstance(newer, Mapping) and _ACTIVATION in newer:
        found = newer[_ACTIVATION]
    elif (found := given.get(OLD_FIELD)) is None:
        return None
    module, _, name = str(found).rpartition(".")
    if found is not None and (name not in _KNOWN or not f"{module}.".startswith("torch.")):
        logger.warning(
            "%s: the scores' activation is %s, which is not built here; a sigmoid stands for it. "
            "The order of documents is the same by either.",
            folder,
            short(found),
        )
    return _KNOWN.get(name, "sigmoid")


def activation_fields(activation: Activation) -> dict[str, Any]:
    """What config.json says of it."""
    names = {ours: theirs for theirs, ours in _WRITTEN.items()}
    return {FIELD: {_ACTIVATION: names[activation]}}


def _settings(folder: Path) -> Mapping[str, Any] | None:
    """The file of settings, if it is one of a cross-encoder."""
    file = contained(folder, SETTINGS)
    if not file.is_file():
        return None
    found = read_object(file, MAX_JSON_BYTES)
    return found if found.get("model_type") == "CrossEncoder" else None


def _warn_of_prompts(folder: Path, settings: Mapping[str, Any]) -> None:
    if settings.get("default_prompt_name") is not None:
        logger.warning(
            "%s: sets the prompt %s before its texts, which is not done here: set it before the "
            "queries yourself.",
            folder,
            short(settings["default_prompt_name"]),
        )
