"""The families that can be read, by Hugging Face's `model_type`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unmask.checkpoint.huggingface import bert
from unmask.checkpoint.huggingface.keys import KeyTable
from unmask.models.config import BertConfig


@dataclass(frozen=True)
class Family:
    """Everything that translates one family."""

    config: type[BertConfig]
    fields: Mapping[str, str]
    """Their name of each config field by ours."""
    fixed: Mapping[str, object]
    """Their settings of which one value only is built here."""
    keys: KeyTable
    architectures: Mapping[frozenset[str], str]
    """transformers' class by heads; the encoder's own is the one without heads."""
    fine_tuned: Mapping[str, str]
    """transformers' class by what a task calls its architecture, such as "TokenClassification"."""


FAMILIES: dict[str, Family] = {
    "bert": Family(
        BertConfig, bert.FIELDS, bert.FIXED, bert.KEYS, bert.ARCHITECTURES, bert.FINE_TUNED
    ),
}


def model_type_of(config: BertConfig) -> str:
    """The `model_type` under which a config is stored."""
    return next(name for name, family in FAMILIES.items() if type(config) is family.config)
