"""config.json to and from a family's config."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from unmask.checkpoint.huggingface.families import FAMILIES, family_of
from unmask.checkpoint.huggingface.family import Family
from unmask.checkpoint.huggingface.labels import short
from unmask.checkpoint.safe import MAX_JSON_BYTES, contained, read_object, write_object
from unmask.errors import DataError
from unmask.models.config import EncoderConfig, family_name

logger = logging.getLogger(__name__)

CONFIG = "config.json"
_READ_ELSEWHERE = {
    *("model_type", "architectures", "id2label", "problem_type"),
    *("sentence_transformers", "sbert_ce_default_activation_function"),
}


def read_config(folder: Path) -> tuple[Family, EncoderConfig]:
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
                f"{file}: `{name}` is {short(found)}, which changes what is computed; "
                f"only {short(value)} is built here."
            )
    if "auto_map" in given:
        logger.warning(
            "%s: `auto_map` names code of the model's author, which is never run; the model is "
            "built here as its model_type says.",
            file,
        )
    known = dict(family.defaults) | {
        ours: given[name] for ours, name in family.fields.items() if given.get(name) is not None
    }
    known |= family.spelling.read(given, str(file))
    unknown = sorted(
        given.keys()
        - set(family.fields.values())
        - family.fixed.keys()
        - family.spelling.names
        - _READ_ELSEWHERE
    )
    logger.info("%s: not read: %s", file, ", ".join(unknown)[:500])
    return family, _validated(family, known, file)


def write_config(
    folder: Path, config: EncoderConfig, purpose: Mapping[str, Any], dtype: str
) -> None:
    """Writes config.json.

    `purpose` are the fields that tell of the heads; `dtype` is torch's name of the weights' type,
    such as "float32".

    Raises:
        DataError: The labels are too many to be read again.
    """
    values = config.model_dump()
    fields = {
        "model_type": family_name(config),
        "dtype": dtype,
        **{
            name: values[ours]
            for ours, name in family_of(config).fields.items()
            if values[ours] is not None  # as what a missing field means
        },
        **purpose,
    }
    fields |= family_of(config).spelling.write(config)
    write_object(folder / CONFIG, fields, MAX_JSON_BYTES)


def _family(given: dict[str, Any], file: Path) -> Family:
    model_type = given.get("model_type")
    usable = (name for name, family in FAMILIES.items() if not family.config().is_control)
    known = ", ".join(f"`{name}`" for name in usable)
    if model_type is None:
        raise DataError(
            f"{file}: no `model_type`; expected one of {known}. "
            'Add `"model_type": "bert"` if the model is a BERT.'
        )
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise DataError(
            f"{file}: `model_type` is {short(model_type)}; the families known here are {known}."
        )
    return FAMILIES[model_type]


def _validated(family: Family, known: dict[str, Any], file: Path) -> EncoderConfig:
    try:
        return family.config.model_validate(known, strict=True)
    except ValidationError as error:
        faults = [
            f"`{'.'.join(str(part) for part in fault['loc'])}` is {short(fault['input'])}: "
            f"{fault['msg']}"
            if fault["loc"]
            else fault["msg"]
            for fault in error.errors()[:5]
        ]
        raise DataError(f"{file}: {'; '.join(faults)}.") from error
