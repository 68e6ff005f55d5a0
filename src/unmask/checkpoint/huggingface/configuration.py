"""config.json to and from a family's config."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from unmask.checkpoint.huggingface.families import FAMILIES, Family, model_type_of
from unmask.checkpoint.safe import MAX_JSON_BYTES, contained, read_object
from unmask.errors import DataError
from unmask.models.config import BertConfig

logger = logging.getLogger(__name__)

CONFIG = "config.json"


def read_config(folder: Path) -> tuple[Family, BertConfig]:
    """The family that a folder's config.json names, and its sizes.

    Raises:
        DataError: No config.json, an unknown family, a setting that is not built here, or a
            size out of bounds.
    """
    file = contained(folder, CONFIG)
    if not file.is_file():
        raise DataError(
            f"{folder}: no config.json here; expected a model in Hugging Face's layout "
            "(config.json, model.safetensors, tokenizer.json)."
        )
    given = read_object(file, MAX_JSON_BYTES)
    family = _family(given, file)
    for name, value in family.fixed.items():
        found = given.get(name)
        if found is not None and found != value:
            raise DataError(
                f"{file}: `{name}` is {_short(found)}, which changes what is computed; "
                f"only {_short(value)} is built here."
            )
    if "auto_map" in given:
        logger.warning(
            "%s: `auto_map` names code of the model's author, which is never run; the model is "
            "built here as its model_type says.",
            file,
        )
    known = {
        ours: given[name] for ours, name in family.fields.items() if given.get(name) is not None
    }
    unknown = sorted(given.keys() - set(family.fields.values()) - family.fixed.keys())
    logger.info("%s: not read: %s", file, ", ".join(unknown)[:500])
    return family, _validated(family, known, file)


def config_fields(config: BertConfig, heads: Collection[str], dtype: str) -> dict[str, Any]:
    """The object that config.json holds."""
    model_type = model_type_of(config)
    family = FAMILIES[model_type]
    values = config.model_dump()
    return {
        "architectures": [family.architectures[frozenset(heads)]],
        "model_type": model_type,
        "dtype": dtype,
        **{name: values[ours] for ours, name in family.fields.items()},
    }


def write_config(folder: Path, config: BertConfig, heads: Collection[str], dtype: str) -> None:
    """Writes config.json; `dtype` is torch's name of the weights' type, such as "float32"."""
    text = json.dumps(config_fields(config, heads, dtype), indent=2, sort_keys=True) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")


def _family(given: dict[str, Any], file: Path) -> Family:
    model_type = given.get("model_type")
    known = ", ".join(f"`{name}`" for name in FAMILIES)
    if model_type is None:
        raise DataError(
            f"{file}: no `model_type`; expected one of {known}. "
            'Add `"model_type": "bert"` if the model is a BERT.'
        )
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise DataError(
            f"{file}: `model_type` is {_short(model_type)}; the families known here are {known}."
        )
    return FAMILIES[model_type]


def _validated(family: Family, known: dict[str, Any], file: Path) -> BertConfig:
    try:
        return family.config.model_validate(known, strict=True)
    except ValidationError as error:
        faults = [
            f"`{'.'.join(str(part) for part in fault['loc'])}` is {_short(fault['input'])}: "
            f"{fault['msg']}"
            if fault["loc"]
            else fault["msg"]
            for fault in error.errors()[:5]
        ]
        raise DataError(f"{file}: {'; '.join(faults)}.") from error


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
